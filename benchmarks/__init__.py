"""What is measured about Undertow itself; run from the root of a checkout."""
