"""One resumable store of trained students: who wrote the rows, which recipe, which seeds, and what the panel says."""
