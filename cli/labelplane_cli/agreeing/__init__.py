"""From a file of votes to how far its annotators agree."""
