"""An Undertow name of a model and its two sides: the base, and an adapter on it. Needs no torch.

split_name("hf/base:adapter")
"""

from __future__ import annotations

from typing import Final

from undertow.system.names import split_path

_FOLDERS: Final = "hf/"


def split_name(name: str) -> tuple[str, str]:
    """Return the name of a model's base and its adapter's folder, which is empty where there is none.

    A folder may have colons in its name: what exists decides, see `split_path`.
    """
    if name.startswith(_FOLDERS):
        base, adapter = split_path(name.removeprefix(_FOLDERS))
        return _FOLDERS + base, adapter
    base, _, adapter = name.partition(":")
    return base, adapter
