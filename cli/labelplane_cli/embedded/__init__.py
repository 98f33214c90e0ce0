"""The embedded run: the operator's plan, and all services in this process (architecture, section 13)."""
