"""Distillation: one training loop, its recipes and its losses. See `train`."""
