"""What a report says of the adapters that were put on models: whether they were made for those, and what PEFT left out.

adapter_notes(["hf/base:adapter"])
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from undertow.errors import UndertowError
from undertow.models.adapter_base import compare_base
from undertow.models.adapters import adapter_config
from undertow.models.checkpoint import folder_of, listed_names
from undertow.models.local import find_model
from undertow.models.names import split_name


def adapter_notes(names: Iterable[str | None]) -> list[str]:
    """Return what the user should know of adapters, each note once.

    Args:
        names: Undertow names of models; those without an adapter have no notes.
    """
    found: dict[str, None] = {}
    for name in names:
        base, adapters = split_name(name or "")
        for adapter in adapters:
            found |= dict.fromkeys([*_base_note(base, Path(adapter)), *_fields_note(Path(adapter))])
    return list(found)


def _base_note(base: str, adapter: Path) -> list[str]:
    try:
        source = find_model(base, fetching=False) or folder_of(base.partition("/")[2])
        compared = compare_base(base, source, adapter)
    except (UndertowError, OSError):  # Not on this machine any more: the results come from finished steps.
        return []
    if not compared.named or compared.answer != "unknown":
        return []
    why = "is not on this machine" if compared.found is None else "cannot be compared with it"
    return [
        f"The adapter {adapter} names {compared.named} as its base. Whether that is {base} is not known: the named "
        f"base {why}."
    ]


def _fields_note(adapter: Path) -> list[str]:
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING

    try:
        config = adapter_config(adapter)
    except UndertowError:
        return []
    kinds: dict[str, Any] = {str(kind.value): each for kind, each in PEFT_TYPE_TO_CONFIG_MAPPING.items()}
    if (kind := kinds.get(str(config.get("peft_type")))) is None:
        return []
    known = {each.name for each in fields(kind)}
    # Newer versions of PEFT write settings that are off.
    if unknown := sorted(key for key, value in config.items() if key not in known and value):
        return [
            f"adapter_config.json of {adapter} has settings that the installed PEFT does not know and leaves out: "
            f"{listed_names(unknown)}."
        ]
    return []
