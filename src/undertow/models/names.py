"""An Undertow name of a model and its sides: the base, and adapters on it. Needs no torch.

split_name("hf/base:adapter:another")
"""

from __future__ import annotations

from typing import Final

from undertow.system.names import split_path, split_paths

_FOLDERS: Final = "hf/"


def split_name(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of a model's base and the folders of its adapters.

    A folder may have colons in its name: what exists decides, see `split_path`.
    """
    if name.startswith(_FOLDERS):
        base, adapters = split_path(name.removeprefix(_FOLDERS))
        base = _FOLDERS + base
    else:
        base, _, adapters = name.partition(":")
    return base, tuple(split_paths(adapters))
