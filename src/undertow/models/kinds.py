"""What each layer of a model mixes positions with, read from its config, and the model without its adapters.

It knows configs of `transformers` and nothing of weights.
"""

from __future__ import annotations

from typing import Any, Final

FULL: Final = "full_attention"
SLIDING: Final = "sliding_attention"
CHUNKED: Final = "chunked_attention"


def without_adapters(net: Any) -> Any:
    """Return the model of `transformers` inside a PEFT wrapper; adapters stay in its modules."""
    return net.get_base_model() if hasattr(net, "get_base_model") else net


def kinds_of(config: Any) -> tuple[str, ...]:
    """Return what each layer of a text config mixes positions with; full attention where nothing is said."""
    if named := getattr(config, "layer_types", None):
        return tuple(str(each) for each in named)
    return (SLIDING if window_of(config) is not None else FULL,) * int(config.num_hidden_layers)


def window_of(config: Any) -> int | None:
    """Return how many positions a layer with sliding attention sees, the token's own among them."""
    window = getattr(config, "sliding_window", None)
    return None if window is None or getattr(config, "use_sliding_window", None) is False else int(window)
