"""How language models are computed, as a user names it."""

from __future__ import annotations

from typing import Literal

Engine = Literal["auto", "fast", "generic", "rows"]
"""`fast`: the hand-written pass. `generic`: the modules of transformers, packed where the architecture allows it.
`rows`: the same with one text a row, which is the reference for the others. `auto`: the fastest that computes the model
as transformers does."""
