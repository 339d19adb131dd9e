"""Ground truth for `undertow scan`: datasets, and what training on each of them did to a student."""
