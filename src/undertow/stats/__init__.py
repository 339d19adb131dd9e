"""Statistics of transfer: pure functions over arrays; every one returns its uncertainty."""
