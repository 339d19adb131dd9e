"""Which pass computes a model. It is written on the model itself, so that it goes where the model goes.

    fast    the hand-written pass over a pack; knows a few layouts
    packed  transformers' modules over a pack: one row for the answers to a prompt, masks from positions
    rows    transformers' modules, one sequence a row: right for every model, and computes shared beginnings anew

`choose` says which passes may suit a model, fastest first; `undertow.models.verify` measures which of them is right.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from undertow.models.engine.network import text_config
from undertow.models.engine.setting import engine_wanted
from undertow.models.kinds import CHUNKED, FULL, SLIDING, kinds_of, without_adapters

Pass = Literal["fast", "packed", "rows"]

FAST: Final = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
"""Architectures whose layers the fast pass knows."""
_ATTRIBUTE: Final = "undertow_pass"
_MASKS: Final = (FULL, SLIDING, CHUNKED)
_BY_PLACE: Final = ("alibi", "attention_types", "window_size", "attention_window")
"""Settings by which attention depends on the place in a row, which in a pack is not the position."""


def choose(config: Any) -> list[Pass]:
    """Return the passes that may suit a text config, fastest first, of the kind that is wanted here."""
    wanted = engine_wanted()
    fast: list[Pass] = ["fast"] if knows_layout(config) and wanted in ("auto", "fast") else []
    if wanted == "fast":
        return fast
    if wanted == "rows":
        return ["rows"]
    packs = all(kind in _MASKS for kind in kinds_of(config)) and not any(
        getattr(config, name, None) for name in _BY_PLACE
    )
    return [*fast, *(["packed", "rows"] if packs else ["rows"])]


def knows_layout(config: Any) -> bool:
    """Whether the fast pass knows a text config's layers."""
    return config.model_type in FAST and {FULL, SLIDING}.issuperset(kinds_of(config))


def pass_of(net: Any) -> Pass:
    """Return the pass that computes a model; where none was set, the fastest that may suit it."""
    inner = without_adapters(net)
    found: Pass | None = getattr(inner, _ATTRIBUTE, None)
    return found or (choose(text_config(inner)) or ["fast"])[0]


def set_pass(net: Any, name: Pass) -> None:
    """Have a model computed by a pass."""
    setattr(without_adapters(net), _ATTRIBUTE, name)
