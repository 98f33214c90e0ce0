"""The front of a cluster: the jobs that the API server shows, and people whom it knows."""
