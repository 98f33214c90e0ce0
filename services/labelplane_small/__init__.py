"""All services of a job in one process, on one port: a job of profile Small, and a run on one machine."""
