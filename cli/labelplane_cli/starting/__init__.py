"""From a folder or table of items to a first job file."""
