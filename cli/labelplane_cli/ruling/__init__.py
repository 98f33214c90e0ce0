"""Rules and knowledge bases: checked, tried on a table, and compared."""
