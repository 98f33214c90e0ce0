"""What a machine has of what labelplane needs."""
