"""Decisions, one a file: pure functions of the job and its status. The planner reads as a list of them."""
