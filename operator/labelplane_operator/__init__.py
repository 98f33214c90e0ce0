"""The operator: from a LabelingJob and what is observed to what should run next (architecture, section 4)."""
