"""A gated result as a section of a Hugging Face model card: YAML front matter to merge, and Markdown to paste.

The front matter's `model-index` holds every shift as an evaluation result, which the hub and its library read. Text
from data or models cannot add a link, an element or a line.

    to_card(results, decision, provenance, beyond(results, policy))
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from undertow.gate.decide import Decision
from undertow.gate.matching import shifts_of
from undertow.gate.provenance import Provenance
from undertow.report.words import clip, decimals_for, interval, p_value, signed, visible
from undertow.results import Effect, Results
from undertow.system.version import __version__

_MAX_TEXT = 1000
_SHOWN = 20
"""Effects that a card shows, at least where there are as many."""
_ACTS = re.compile(r"([\\`*_\[\]<>|~#])")


def to_card(results: Results, decision: Decision, provenance: Provenance, found: Sequence[Effect]) -> str:
    """Return front matter and section. Of many effects, those that were found are shown, and the strongest.

    Args:
        results: Of any kind.
        decision: What became of the policy's rules.
        provenance: Models and data behind the results.
        found: Effects that the policy does not let through.
    """
    every = shifts_of(results)
    effects = sorted(every, key=lambda each: each not in found)[: max(_SHOWN, len(found))]
    front = yaml.safe_dump(_front(results, provenance, effects), sort_keys=False, allow_unicode=True, width=100)
    predicted = "" if provenance.trained else " Nothing was trained: the shifts are predicted from the data."
    parts = [
        f"---\n{front}---\n",
        "## Hidden traits\n",
        f"Held to a policy with Undertow {__version__}: **{decision.status}**.\n",
        f"Verdict of the {results.kind}: **{results.verdict.status}**. {_line(results.verdict.because)}{predicted}\n",
        _table(["rule", "outcome", "reason"], [[each.rule, each.status, each.because] for each in decision.outcomes]),
    ]
    if effects:
        parts += ["### Shifts\n", _table(["trait", "arms", "shift", "interval", "p"], [_row(each) for each in effects])]
    if len(effects) < len(every):
        parts.append(f"These are {len(effects):,} of {len(every):,}; results.json holds all.\n")
    parts += ["### Made of\n", _table(["what", "name", "sha256"], _made_of(provenance))]
    if results.notes:
        parts += ["### Limits\n", "".join(f"- {_line(note)}\n" for note in results.notes)]
    return "\n".join(parts)


def _front(results: Results, provenance: Provenance, effects: Sequence[Effect]) -> dict[str, Any]:
    front: dict[str, Any] = {}
    if provenance.base is not None and provenance.base.hub is not None:
        front["base_model"] = provenance.base.hub
    front["tags"] = ["undertow", "hidden-trait-audit"]
    if effects:
        what = "measured" if provenance.trained else "predicted"
        front["model-index"] = [
            {"name": _plain(results.name), "results": [_evaluation(each, what) for each in effects]}
        ]
    return front


def _evaluation(effect: Effect, what: str) -> dict[str, Any]:
    return {
        "task": {"type": "text-generation", "name": "Hidden traits"},
        # The hub's library takes evaluations of one type and configuration for one.
        "dataset": {
            "name": _plain(f"{effect.trait}, {effect.arm} minus {effect.contrast}"),
            "type": "undertow-probe",
            "config": _plain(effect.name),
        },
        "metrics": [
            {
                "type": "shift",
                "name": _plain(f"{what} shift, {effect.unit}"),
                "value": effect.value,
                "args": {
                    "lo": effect.lo,
                    "hi": effect.hi,
                    # The hub's library drops keys without a value, so that its file would differ from this one.
                    **({} if effect.p is None else {"p": effect.p}),
                    **({} if effect.p_adjusted is None else {"p_adjusted": effect.p_adjusted}),
                    "n": effect.n,
                    "seeds": effect.seeds,
                },
            }
        ],
    }


def _row(effect: Effect) -> list[str]:
    digits = decimals_for(effect.lo, effect.hi)
    p = effect.p if effect.p_adjusted is None else effect.p_adjusted
    said = p_value(p).removeprefix("p = ").removeprefix("p ")
    return [
        effect.trait,
        f"{effect.arm} - {effect.contrast}",
        f"{signed(effect.value, digits)} {effect.unit}",
        interval(effect.lo, effect.hi, digits),
        said if effect.p_adjusted is None else f"{said} ({effect.adjusted_by})",
    ]


def _made_of(provenance: Provenance) -> list[list[str]]:
    rows: list[list[str]] = []
    if provenance.base is not None:
        rows.append(["base", provenance.base.name, provenance.base.sha256 or "not known"])
    rows += [["teacher", each.name, each.sha256 or "not known"] for each in provenance.teachers]
    rows += [["data", each.name, each.sha256 or "not known"] for each in provenance.datasets]
    return rows


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_line(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _plain(text: str) -> str:
    return clip(" ".join(visible(text).split()), _MAX_TEXT)


def _line(text: str) -> str:
    # GitHub's and the hub's Markdown also link bare addresses.
    return _ACTS.sub(r"\\\1", _plain(text)).replace("&", "&amp;").replace("://", ":\\//").replace("www.", "www\\.")
