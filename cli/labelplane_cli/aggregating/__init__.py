"""From a file of votes to a file of labels, without a job."""
