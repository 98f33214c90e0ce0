"""The command `labelplane`, and the runtime that plays a whole job on one machine."""
