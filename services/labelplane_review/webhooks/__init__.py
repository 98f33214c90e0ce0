"""Signed notices to other systems: a batch is ready, a job waits, a job is complete."""
