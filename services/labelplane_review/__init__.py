"""What people and tools reach: connectors that bring a job's open tasks to annotators and their votes back."""
