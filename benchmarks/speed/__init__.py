"""How fast the engine is, as ratios to named alternatives on the same machine, model and rows: `make bench`."""
