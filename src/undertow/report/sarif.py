"""SARIF 2.1.0 (OASIS), which code scanners read: the frame of a log, and the rows that a scan points to.

A row is a line of a file of JSON lines. Elsewhere it is an entry of a list or a row of a table. `undertow.gate.sarif`
adds the findings of a policy.

    sarif_log([row_rule(results)], suspects_in(results, rows), about="scan/rows.jsonl")
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, cast
from urllib.parse import quote

from undertow.data.units import unit_of
from undertow.report.words import clip, visible
from undertow.results import Results
from undertow.system.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_MAX_TEXT = 2000

Json = dict[str, Any]
Level = Literal["warning", "error"]


@dataclass(frozen=True)
class Rule:
    """What a finding is an instance of."""

    id: str
    short: str
    full: str
    level: Level = "warning"

    def as_dict(self) -> Json:
        """Return a `reportingDescriptor`."""
        return {
            "id": self.id,
            "shortDescription": {"text": _text(self.short)},
            "fullDescription": {"text": _text(self.full)},
            "defaultConfiguration": {"level": self.level},
        }


ROW_RULE: Final = "hidden-trait"


def row_rule(results: Results) -> Rule:
    """Return the rule on rows, with what the results say."""
    return Rule(ROW_RULE, "A row that carries a hidden trait", results.verdict.because)


def sarif_log(rules: Sequence[Rule], found: Sequence[Json], *, about: str, **more: Any) -> str:
    """Return a log of one run of Undertow.

    Args:
        rules: Every rule that was asked.
        found: Made by `finding`.
        about: What was looked at, such as `scan/rows.jsonl`: GitHub keeps the findings of two apart by it, and refuses
            an upload of logs that say the same.
        more: Further properties of the run.
    """
    driver = {"name": "Undertow", "semanticVersion": __version__, "rules": [rule.as_dict() for rule in rules]}
    automation = {"id": f"undertow/{quote(os.fsencode(about))}/"}
    run = {"tool": {"driver": driver}, "automationDetails": automation, **more, "results": list(found)}
    log = _visible({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
    return json.dumps(log, indent=1, ensure_ascii=False) + "\n"


def _visible(value: Any) -> Any:
    """Return a value whose texts, wherever they stand, have no character that acts without being seen."""
    if isinstance(value, dict):
        return {visible(key): _visible(each) for key, each in cast(dict[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_visible(each) for each in cast(Sequence[Any], value)]
    return visible(value) if isinstance(value, str) else value


def finding(
    rule: str, level: Level, text: str, file: Path, line: int | None = None, place: tuple[str, int] | None = None
) -> Json:
    """Return one result of a log.

    Args:
        rule: The rule's id.
        level: How bad it is.
        text: What was found.
        file: Where; a relative path stays relative, as code scanners need it.
        line: Of the file, from 1.
        place: Where the file has no lines: what it is made of, such as `entry`, and the number, from 1.
    """
    physical: Json = {"artifactLocation": {"uri": uri(file)}}
    if line is not None:
        physical["region"] = {"startLine": line}
    location: Json = {"physicalLocation": physical}
    if place is not None:
        unit, number = place
        named = f"{unit} {number}"
        location["logicalLocations"] = [{"name": named, "fullyQualifiedName": named, "kind": "element"}]
        text = f"{named} {text}"
    # Code scanners know a finding again by this, so no number that varies is in it.
    told = f"{line}" if place is None else f"{place[0]} {place[1]}"
    same = sha256(f"{rule}\x00{uri(file)}\x00{told}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": _text(text)},
        "locations": [location],
        "partialFingerprints": {"undertow/v1": same},
    }


def suspects_in(results: Results, rows: Path) -> list[Json]:
    """Return one finding a suspicious row.

    Args:
        results: Of any kind; only a scan suspects rows.
        rows: The dataset, as the log is to name it.
    """
    if results.scan is None:
        return []
    units: dict[str, str] = {}
    found: list[Json] = []
    for row in results.scan.suspects:
        file = rows / row.file if rows.is_dir() else rows
        unit = units.setdefault(row.file, unit_of(file))
        found.append(
            finding(
                ROW_RULE,
                "warning",
                f"carries {row.share:.1f} times as much of {row.trait} as an average row",
                file,
                row.number if unit == "line" else None,
                None if unit == "line" else (unit, row.number),
            )
        )
    return found


def uri(path: Path) -> str:
    """Return a path as SARIF names it."""
    # As bytes: a file's name need not be UTF-8.
    return path.resolve().as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))


def _text(text: str) -> str:
    # A bracket begins a link (SARIF 2.1.0, 3.11.6), and a stranger's text may not make one.
    return clip(visible(text), _MAX_TEXT).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
