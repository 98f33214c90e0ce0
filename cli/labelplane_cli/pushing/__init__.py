"""Votes of a file, sent to a running job over its HTTP contract."""
