"""`kubectl labelplane`: LabelingJobs on a cluster, read and held by a plugin of kubectl."""
