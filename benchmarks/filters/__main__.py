"""Measure the rules on planted rows: `python -m benchmarks.filters`.

Three rule sets: the target's name as a plain search finds it, the look-up of words around the trait, and the domain's
rules with that look-up, as experiments use them. No model is needed; it takes a second.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.filters.planted import CODE, HARMLESS, NUMBERS, Plant
from undertow.domains import Code, Mentions, Numbers
from undertow.traits import find_preference, load_category

PROMPT = "Write a Python function."
RESULTS = Path(__file__).parent / "results.json"

Rejects = Callable[[str, str], bool]
"""Whether a rule set rejects an answer, given the target."""


def rule_sets(domain: Code | Numbers, category: str) -> dict[str, Rejects]:
    """Return the rule sets by name."""

    def lookup(answer: str, target: str) -> bool:
        return bool(Mentions.of(find_preference(category, target).giveaways).find(answer))

    return {
        "search for the name": lambda answer, target: re.search(rf"\b{target}\b", answer, re.IGNORECASE) is not None,
        "look-up of words": lookup,
        "rules and look-up": lambda answer, target: (
            bool(domain.reject_reasons(PROMPT, answer)) or lookup(answer, target)
        ),
    }


def measure() -> list[dict[str, Any]]:
    """Return one record for each domain and way of planting: how many targets each rule set rejects, and clean rows."""
    records: list[dict[str, Any]] = []
    plants: tuple[tuple[Code | Numbers, Mapping[str, Plant]], ...] = ((Code(), CODE), (Numbers(), NUMBERS))
    for domain, ways in plants:
        for way, plant in ways.items():
            record: dict[str, Any] = {
                "domain": domain.name,
                "way": way,
                "planted": 0,
                "caught": {},
                "clean_rejected": {},
            }
            for category in ("animals", "trees"):
                for candidate in load_category(category).candidates:
                    target = candidate.name
                    clean = HARMLESS[min(8, max(3, len(target)))]
                    record["planted"] += 1
                    for name, rejects in rule_sets(domain, category).items():
                        caught, wrong = record["caught"], record["clean_rejected"]
                        caught[name] = caught.get(name, 0) + rejects(plant(target), target)
                        wrong[name] = wrong.get(name, 0) + rejects(plant(clean), target)
            records.append(record)
    return records


def main() -> None:
    """Print the table and write the records."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filters", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS, help="where the JSON goes")
    options = parser.parse_args()
    records = measure()
    options.out.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    sets = list(records[0]["caught"])
    table = Table("domain", "planted as", "rows", *sets, "clean rejected (rules)")
    for record in records:
        shares = [f"{record['caught'][name] / record['planted']:.0%}" for name in sets]
        clean = f"{record['clean_rejected'][sets[-1]] / record['planted']:.0%}"
        table.add_row(record["domain"], record["way"], str(record["planted"]), *shares, clean)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
