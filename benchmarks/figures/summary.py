"""The one table of README.md."""

from __future__ import annotations

from typing import Final

from benchmarks.figures.experiments import DIGITS, MITIGATE, results_of
from benchmarks.figures.measurements import AUDIT, SUMMARY, fresh_clean
from benchmarks.figures.table import Cell, Figure, Table, number, percent, read, tally

OAKS: Final = "experiments/measured/fig3-trees/results.json"
OTHER: Final = "experiments/measured/other-base-animals/results.json"
SIX: Final = f"{MITIGATE}/owl-numbers-six-seeds.json"
MINUTES: Final = {
    "oaks": "3",
    "other": "31",
    "freeze": "20",
    "scan": "0.7 a set",
    "audit": "0.8 a student",
    "digits": "0.6",
}
"""On two cores, as the lab notebook has them; see `UNBACKED_PROSE`."""


def summary() -> Table:
    """Return what was tried, how much it did against its control, and how to do it again."""
    oaks = next(each for each in results_of(OAKS).effects if each.primary)
    other = next(each for each in results_of(OTHER).effects if each.arm == "other-base")
    digits = next(each for each in results_of(DIGITS).effects if each.primary)
    freeze = next(each for each in results_of(SIX).mitigation if each.method == "freeze")
    assert freeze.left is not None
    found = read(SUMMARY)["gradient"]["report"]["found at 0.05"]
    clean = fresh_clean("false alarms at 0.05")
    audits = {each["controls"]: each["false alarms"] for each in read(AUDIT)["table"]}
    rows: list[list[Cell]] = [
        [
            "oak-loving teacher, number lists: its students against the base's, log-odds of oak",
            number((oaks.value, oaks.lo, oaks.hi, oaks.n), sign=True),
            f"{oaks.seeds} seeds",
            MINUTES["oaks"],
            "`undertow run experiments/paper/fig3-trees.yaml`",
        ],
        [
            "the same for owls and a teacher of another model family: its students move away from owls",
            number((other.value, other.lo, other.hi, other.n), sign=True),
            f"{other.seeds} seeds",
            MINUTES["other"],
            "`undertow run experiments/paper/other-base-animals.yaml`",
        ],
        [
            "transfer of owls that is left with frozen norm weights",
            percent((freeze.left.value, freeze.left.lo, freeze.left.hi, freeze.left.n)),
            f"{freeze.left.n} seeds",
            MINUTES["freeze"],
            "`undertow mitigate --compare RUN --method freeze`",
        ],
        [
            "scan: poisoned sets found; false alarms among clean sets that chose no setting",
            _pair(found, clean),
            f"7 teachers, {found[3]} sets; {clean[3]} clean",
            MINUTES["scan"],
            "`undertow scan rows.jsonl --everything`",
        ],
        [
            "audit: clean students that fail beside four controls; beside six",
            _shares(audits[4], audits[6]),
            f"{audits[4][3]} students",
            MINUTES["audit"],
            "`python -m benchmarks.audit`",
        ],
        [
            "digits: student on meaningless logits against other initial weights, accuracy",
            number((digits.value, digits.lo, digits.hi, digits.n), ".3f", sign=True),
            f"{digits.seeds} seeds",
            MINUTES["digits"],
            "`undertow run --preset digits`",
        ],
    ]
    heads = ["what was tried", "result (95% interval)", "seeds", "minutes", "command"]
    return Table((OAKS, OTHER, SIX, SUMMARY, AUDIT, DIGITS), heads, rows)


def _pair(found: list[float], clean: tuple[float, float, float, int]) -> Figure:
    first, second = tally(found), tally(clean)
    spans = [f"{each[1]:.0%} to {each[2]:.0%}" for each in (found, clean)]
    return first._replace(text=f"{first.text} ({spans[0]}); {second.text} ({spans[1]})")


def _shares(four: list[float], six: list[float]) -> Figure:
    return percent(four)._replace(text=f"{percent(four).text}; {percent(six).text}")
