"""The tables of docs/data-formats.md, made from what the readers themselves know and say.

    python -m undertow.data.layouts.page docs/data-formats.md     writes the tables between the page's marks anew

What is refused is shown as the reader's own message about an example.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from undertow.data.folders import READ
from undertow.data.layouts.calls import CALL_KEYS
from undertow.data.layouts.parts import CALL, TEXTS, THINKING
from undertow.data.layouts.preferences import LABELS, LeftOutRow
from undertow.data.layouts.reading import RECOGNISED, Reading
from undertow.data.layouts.records import KTO, LAYOUTS, MEDIA, PREFERENCE, ROW_WEIGHTS, SYSTEM, TOOLS, read_record
from undertow.data.layouts.source import UnclearLayout
from undertow.data.layouts.turns import CALLING, REASONING, ROLES, WEIGHTS
from undertow.data.rows import UnreadableRow
from undertow.system import marked_page
from undertow.system.marked_page import rewrite_named, table

_ASK: Final = {"role": "user", "content": "q"}
_SAY: Final = {"role": "assistant", "content": "a"}


def layouts() -> str:
    """Return the table of layouts."""
    lines: list[list[str]] = []
    for layout in LAYOUTS:
        also = [*layout.reads, *(() if layout.plain else SYSTEM)]
        example = dict.fromkeys(layout.needs, "q") if layout is PREFERENCE else dict.fromkeys(layout.needs)
        lines.append([layout.name, _keys(layout.needs), _keys(also), _refusal(example)])
    pair = {"prompt": "q", "completion": "a", "label": False}
    lines.append([KTO, f"a layout above and one of {_keys(LABELS)}", "", _refusal(pair)])
    return table(["layout", "keys that it needs", "keys that it reads too", "refused, such as"], lines)


def beside() -> str:
    """Return the table of keys that are read beside every layout."""
    chat = {"messages": [_ASK, _SAY]}
    rows = [
        [_keys(SYSTEM), "becomes the first turn, where there is no system turn yet", ""],
        [_keys(TOOLS), "the row's tools: a list, or JSON text of one", _refusal({**chat, "tools": {"a": 1}})],
        [
            _keys(ROW_WEIGHTS),
            "the row's weight: true or false; a number from 0 where the key says weight",
            _refusal({**chat, "weight": -1}),
        ],
        [_keys(MEDIA), "never", _refusal({**chat, "images": ["a.png"]})],
        ["`meta`", "kept; what Undertow wrote stands there", _refusal({**chat, "meta": 3})],
        ["any other", "kept in `meta`, counted and named", ""],
    ]
    return table(["key of a record", "read as", "refused, such as"], rows)


def roles() -> str:
    """Return the table of roles."""
    names: dict[str, list[str]] = {}
    for name, role in ROLES.items():
        names.setdefault(role, []).append(name)
    rows = [[role, _keys(each)] for role, each in names.items()]
    return table(["role", "what files call it"], rows)


def turns() -> str:
    """Return the table of the keys of a turn."""
    rows = [
        ["`role`, or `from`", "the role", _of_turn({"role": "owl"})],
        ["`content`, or `value`", "text, or a list of parts", _of_turn({"content": 3})],
        [f"a part of the type {_keys(TEXTS)}", "text; parts are joined", _of_part("image_url")],
        [f"a part of the type {_keys(THINKING)}", "reasoning", _of_part("input_audio")],
        [f"a part of the type `{CALL}`", "a tool call", _of_part("tool_result")],
        [_keys(REASONING), "reasoning", _of_turn({"reasoning": "a", "thinking": "b"})],
        [
            "`tool_calls`, `function_call`",
            f"tool calls: {_keys(CALL_KEYS)}",
            _of_turn({"tool_calls": [{"type": "custom"}]}),
        ],
        [
            f"text of the role {_keys(CALLING)}",
            "a tool call, where it is JSON of `name` and `arguments`; else text",
            "",
        ],
        ["`name`, `tool_call_id`", "kept", _of_turn({"name": ["a"]})],
        [_keys(WEIGHTS), "the turn's weight: from 0 to 1, or true or false", _of_turn({"weight": 2})],
        ["any other", "counted and named; not kept", ""],
    ]
    return table(["key of a turn", "read as", "refused, such as"], rows)


def files() -> str:
    """Return the list of the endings of files that are read."""
    return f"Names of files end with {_keys(READ)}.\n"


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "layouts": layouts,
    "beside": beside,
    "roles": roles,
    "turns": turns,
    "files": files,
}


def regenerated(page: str) -> str:
    """Return a page with the tables between its marks made anew."""
    return marked_page.regenerated(page, "formats", TABLES)


def _of_turn(answer: dict[str, Any]) -> str:
    return _refusal({"messages": [_ASK, {**_SAY, **answer}]})


def _of_part(kind: str) -> str:
    return _of_turn({"content": [{"type": kind}]})


def _refusal(record: dict[str, Any], reading: Reading = RECOGNISED) -> str:
    try:
        read_record(record, reading)
    except UnclearLayout as error:
        return f"{error} {error.fix}"
    except (LeftOutRow, UnreadableRow) as error:
        return str(error).removeprefix("turn 2 of 'messages': ").partition(" (known:")[0]
    raise ValueError(f"{record} is read, so it is no example of what is refused")


def _keys(keys: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{key}`" for key in keys)


if __name__ == "__main__":
    sys.exit(rewrite_named(regenerated))
