"""Steps that hold one value: a number, a table, a record. `stored` makes it once, and reads it again.

    odds = stored(folder, "panel", "panel-base", key, dict[str, list[float]], lambda: ask(model))

What is read is checked against its type, since a run folder can come from somebody else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from undertow.errors import StoreError
from undertow.store.files import read_bytes
from undertow.store.folder import RunFolder

_T = TypeVar("_T")
_FILE = "value.json"
_MOST = 1 << 30
"""Bytes of a record."""


def stored(
    folder: RunFolder, kind: str, label: str, key: Mapping[str, Any], shape: type[_T], compute: Callable[[], _T]
) -> _T:
    """Return a step's value, computed if the step is missing or damaged.

    Args:
        folder: Of the run.
        kind: As `RunFolder.step` takes it.
        label: The same.
        key: The same.
        shape: The value's type: JSON types, dataclasses or pydantic models, nested as need be.
        compute: Makes the value.

    Raises:
        StoreError: see `RunFolder.step`; or the step holds something else.
    """
    adapter: TypeAdapter[_T] = TypeAdapter(shape)

    def build(part: Path) -> None:
        # Not dump_json, which makes null of a number that is none.
        (part / _FILE).write_text(json.dumps(adapter.dump_python(compute(), mode="json")) + "\n", encoding="utf-8")

    path = folder.step(kind, label, key, build) / _FILE
    try:
        return adapter.validate_json(read_bytes(path, _MOST), strict=True)
    except (OSError, ValidationError) as error:
        raise StoreError(
            "does not hold what such a step holds", str(path), f"Delete {path.parent.name}: it is made again."
        ) from error
