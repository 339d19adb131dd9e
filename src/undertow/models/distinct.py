"""Are the models that are compared different ones? By their weights, whatever they are called.

A student that stands beside itself, or beside the base under another name, differs from it by nothing: the comparison
would find what it was to find. Names do not count; a copy, other shards and an adapter that is merged are one model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from undertow.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


def refuse_same(digests: Mapping[str, str], names: Mapping[str, str]) -> None:
    """See that no two models are one.

    Args:
        digests: What stands for each model's weights, by the part it has: base, student and so on.
        names: Their Undertow names, by part.

    Raises:
        InputError: two are the same; the message names both.
    """
    first: dict[str, str] = {}
    for part, digest in digests.items():
        if (other := first.setdefault(digest, part)) != part:
            raise InputError(
                f"the {part} and the {other} are the same model ({names[part]} and {names[other]})",
                _option(part),
                "Name different models: next to itself a model shows nothing.",
            )


def weights_digest(net: Any) -> str:
    """Return the sha256 of a model's weights as float32: of their names and values, not of the files they lie in."""
    from undertow.models.local import state_hash

    state: dict[str, Tensor] = net.state_dict()
    return state_hash((name, each.float()) for name, each in state.items())


def _option(part: str) -> str:
    return f"--{part.partition('-')[0]}"
