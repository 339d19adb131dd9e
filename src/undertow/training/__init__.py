"""Training students: one loop, its recipes, losses and adapters. See `train`."""
