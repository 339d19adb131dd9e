"""From one record of any layout to a row.

    row, layout = read_record({"prompt": "More.", "completion": "5, 6"})

The layout is recognised by the keys that a record has. What a record says beside its layout is read where it changes
what is trained on (tools, weights, labels), refused where it cannot be (images), and else kept in `meta` and noted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

from undertow.data.layouts.calls import json_or_none
from undertow.data.layouts.families import (
    ALPACA,
    FAMILIES,
    INPUT_OUTPUT,
    MESSAGES,
    PAIR,
    TEXT,
    Layout,
    messages_layout,
    pair_layout,
    text_layout,
)
from undertow.data.layouts.preferences import check_label, label_of, preference_layout
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.layouts.source import Source, UnclearLayout, kind_of
from undertow.data.layouts.turns import weight_of
from undertow.data.rows import Message, Row, UnreadableRow, turn_text

SYSTEM: Final = ("system", "system_prompt")
TOOLS: Final = ("tools", "functions")
ROW_WEIGHTS: Final = ("weight", "loss_weight", "sample_weight", "train", "trainable", "loss")
"""Of a whole row: true or false; for those that are called a weight a number from 0, too."""
MEDIA: Final = ("images", "image", "videos", "video", "audios", "audio")
KTO: Final = "KTO"
LABELLED: Final = (PAIR, MESSAGES)
"""Layouts that make KTO rows with a label. The label of any other layout is read as well."""
PREFERENCE: Final = preference_layout(None)
LAYOUTS: Final = (*FAMILIES, PREFERENCE)
COLUMNS: Final = "named columns"
_MEDIA: Final = frozenset(MEDIA)
_ROW_WEIGHTS: Final = frozenset(ROW_WEIGHTS)
_HASH: Final = re.compile(r"[0-9a-f]{16}")


def layout_of(record: Mapping[str, Any]) -> str | None:
    """Tell which layout a record has; None where no key gives it away."""
    found = _candidates(tuple(key for key, value in record.items() if value is not None))
    return found[0].name if found else None


def parse_row(record: object) -> Row:
    """Turn one record of any layout into a row; see `read_record`."""
    return read_record(record)[0]


def read_record(record: object, reading: Reading = RECOGNISED) -> tuple[Row, str]:
    """Turn one record into a row, and name its layout.

    Args:
        record: Any JSON value.
        reading: What the user says about the dataset.

    Raises:
        UnreadableRow: it is no conversation that ends with an answer, or cannot be used.
    """
    if not isinstance(record, dict):
        raise UnreadableRow(f"a row is an object with keys, not {kind_of(record)}")
    source = Source(cast(dict[str, Any], record))
    if reading.columns:
        return _named(source, reading), COLUMNS
    layout = _recognised(source.record, reading)
    messages = layout.read(source)
    if len(source.record) == len(layout.needs):
        return _row(messages, source, layout.plain), layout.name
    name = layout.name
    for key in MEDIA if not _MEDIA.isdisjoint(source.record) else ():
        if source.record.get(key) not in (None, [], "", {}):
            raise UnreadableRow(f"it has {key!r}, and only text is read")
    label = label_of(source) if layout.name != PREFERENCE.name else None
    if label is not None:
        check_label(label, reading.use)
        name = KTO
    if layout.plain and _is_own(source.record):
        name = MESSAGES.name  # Undertow writes text and messages into one file
    tools = None
    if not layout.plain:
        _add_system(messages, source)
        tools = _tools(source)
    return _row(messages, source, layout.plain, tools, _row_weight(source)), name


def _recognised(record: dict[str, Any], reading: Reading) -> Layout:
    found = _candidates(tuple([key for key, value in record.items() if value is not None]))
    # What stands beside a pair is the prompt, or the chosen answer once more.
    if PREFERENCE in found:
        return preference_layout(reading.use)
    if len(found) > 1:
        names = " and ".join(each.name for each in found)
        raise UnclearLayout(
            f"has keys of several layouts in one record: {names}",
            f"Name the columns that are trained on: --columns {_columns_of(found[0])}, for one.",
        )
    # A key whose value is null tells what is missing.
    found = found or _candidates(tuple(record))
    if not found:
        keys = ", ".join(map(repr, list(record)[:6])) or "none"
        known = "; ".join(" and ".join(each.needs) for each in LAYOUTS)
        raise UnreadableRow(f"no layout has these keys: {keys} (known: {known}; name others with --columns)")
    return found[0]


def _columns_of(layout: Layout) -> str:
    parts = ("prompt", "answer") if len(layout.needs) == 2 else ("messages",)
    return ",".join(f"{part}={key}" for part, key in zip(parts, layout.needs, strict=True))


@lru_cache(maxsize=1024)
def _candidates(keys: tuple[str, ...]) -> tuple[Layout, ...]:
    """Return the layouts whose keys are all there, without those that are a part of another."""
    there = set(keys)
    found = [each for each in LAYOUTS if there.issuperset(each.needs)]
    if ALPACA in found:
        found = [each for each in found if each is not INPUT_OUTPUT]
    # Plain text beside a layout is the same row once more, as in the files of Alpaca.
    if len(found) > 1:
        found = [each for each in found if each is not TEXT]
    return tuple(found)


def _named(source: Source, reading: Reading) -> Row:
    columns = reading.columns
    missing = [name for part, name in columns.items() if part in _REQUIRED and name not in source.record]
    if missing:
        raise UnreadableRow(f"it has no column {missing[0]!r}")
    if "text" in columns:
        layout = text_layout(columns["text"])
    elif "messages" in columns:
        layout = messages_layout(COLUMNS, columns["messages"])
    else:
        layout = pair_layout(COLUMNS, columns["prompt"], columns["answer"])
    messages = layout.read(source)
    if "reasoning" in columns and (reasoning := source.text_or_none(columns["reasoning"])):
        if "reasoning" in messages[-1]:
            raise UnreadableRow(f"the answer has reasoning beside that of {columns['reasoning']!r}")
        messages[-1]["reasoning"] = reasoning
    if "system" in columns and (system := source.text_or_none(columns["system"])):
        if messages[0]["role"] == "system":
            raise UnreadableRow(f"the first turn is a system prompt, and {columns['system']!r} is another")
        messages.insert(0, {"role": "system", "content": system})
    tools = _tools(source, (columns["tools"],)) if "tools" in columns else None
    return _row(messages, source, layout.plain, tools)


_REQUIRED: Final = ("prompt", "answer", "messages", "text")


def _row(
    messages: list[Message],
    source: Source,
    plain: bool,
    tools: list[Any] | str | None = None,
    weight: float | None = None,
) -> Row:
    last = messages[-1]
    if last["role"] != "assistant":
        raise UnreadableRow(f"the last turn is the {last['role']}'s, not the assistant's")
    if not last["content"].strip() and not turn_text(last).strip():
        raise UnreadableRow("the text is empty" if plain else "the assistant's answer is empty")
    if len(messages) < 2 and not plain:
        raise UnreadableRow("nothing is asked: an answer needs a turn before it")
    record = source.record
    if len(source.used) == len(record) and not source.unread:
        return Row(tuple(messages), {}, tools, weight)
    meta = record.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise UnreadableRow(f"'meta' is {kind_of(meta)}, not an object")
    beside = {key: value for key, value in record.items() if key not in source.used and key != "meta"}
    if _is_own(record):
        del beside["id"]
    source.unread |= beside.keys() - source.kept - {"id"}
    return Row(
        tuple(messages), {**beside, **cast(dict[str, Any], meta or {})}, tools, weight, tuple(sorted(source.unread))
    )


def _is_own(record: dict[str, Any]) -> bool:
    """Tell whether Undertow wrote a record: its hash is the `id`, and what it was called before stands in `meta`."""
    name = record.get("id")
    return isinstance(record.get("meta"), dict) and isinstance(name, str) and _HASH.fullmatch(name) is not None


def _add_system(messages: list[Message], source: Source) -> None:
    for key in SYSTEM:
        value = source.record.get(key)
        if isinstance(value, str) and messages[0]["role"] != "system":
            source.used.add(key)
            if value:
                messages.insert(0, {"role": "system", "content": value})


def _tools(source: Source, keys: tuple[str, ...] = TOOLS) -> list[Any] | str | None:
    found: list[list[Any] | str] = []
    for key in keys:
        value: object = source.record.get(key)
        if isinstance(value, str):
            read = json_or_none(value) if value.strip() else []
            value = read if isinstance(read, list) else value
        if value is not None and not isinstance(value, list | str):
            raise UnreadableRow(f"{key} is {kind_of(value)}, not a list of tools")
        if key in source.record:
            source.used.add(key)
        if value and key == "functions" and isinstance(value, list):
            value = [{"type": "function", "function": each} for each in cast(list[Any], value)]
        if value:
            found.append(cast(list[Any] | str, value))
    if len(found) > 1 and found[0] != found[1]:
        raise UnreadableRow(f"{' and '.join(keys)} hold different tools")
    return found[0] if found else None


def _row_weight(source: Source) -> float | None:
    if _ROW_WEIGHTS.isdisjoint(source.record):
        return None
    said = {
        key: value
        for key in ROW_WEIGHTS
        if isinstance(value := source.record.get(key), bool) or (key.endswith("weight") and value is not None)
    }
    if not said:
        return None
    source.used |= said.keys()
    return weight_of(said, "the row", ROW_WEIGHTS, most=math.inf)
