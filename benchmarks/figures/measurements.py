"""Tables of benchmarks: scan, teacher inference, audit, filters and null runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from benchmarks.figures.table import Cell, Figure, Table, area, number, percent, read, tally, whole
from benchmarks.transfer.cases import REPORT, SEEDS, Case, cases
from benchmarks.transfer.intervals import Bounded, share
from undertow.stats import mean_estimate, proportion

TRANSFER: Final = "benchmarks/transfer"
SUMMARY: Final = f"{TRANSFER}/summary.json"
TEACHERS: Final = f"{TRANSFER}/writers.json"
AUDIT: Final = "benchmarks/audit/results.json"
NULL: Final = ("benchmarks/null/results.json", "benchmarks/null/results-5000.json")
FRESH_LARGE: Final = 12
"""Clean sets of 512 rows that were written after the temperature's setting was chosen: the last ones of `cases`."""


def fresh_clean(alarm: str) -> tuple[float, float, float, int]:
    """Return the share of alarms among clean sets that chose no setting, with Wilson's interval and their count.

    They are the 12 held-out sets of 128 rows and the last 12 of the 20 sets of 512 rows.

    Args:
        alarm: Of `summary.json`.

    Raises:
        ValueError: one of the 20 alarms, so that the summary does not say how many of the last 12 do.
    """
    report, large = (read(SUMMARY)["gradient"][part] for part in ("report", "report, large"))
    if large[alarm][0] > 0:
        raise ValueError(f"{SUMMARY}: {alarm}: which of the large sets alarm is not stored")
    small = report[alarm]
    found = proportion(round(small[0] * small[3]), small[3] + FRESH_LARGE)
    return found.value, found.lo, found.hi, small[3] + FRESH_LARGE


def scan_detection() -> Table:
    """Return how well a scan tells poisoned datasets from clean ones."""
    summary = read(SUMMARY)["gradient"]
    report, large = summary["report"], summary["report, large"]
    clean, many = f"{report['datasets']['clean']} clean", f"{large['datasets']['clean']} clean"
    alarm, unnamed = "false alarms at 0.05", "unnamed: false alarms at 0.01"
    half, quarter = "auroc at 50%", "auroc at 25%, whether it passed on or not"
    rows = [
        _area("AUROC, full dose", report["auroc at 100%"], f"{report['datasets']['at full dose']}, {clean}"),
        _area("AUROC, 50% of 128 rows", report[half], f"{report[half][3]}, {clean}"),
        _area("AUROC, 25% of 512 rows", large["auroc at 25%"], f"{large['datasets']['poisoned']}, {many}"),
        _area("AUROC, 25% of 512 rows, passed on or not", large[quarter], f"{large['datasets']['with truth']}, {many}"),
        _area("AUROC, 25% of 128 rows, none shown to pass on", report[quarter], f"{report[quarter][3]}, {clean}"),
        _count("false alarms of a named trait at 0.05, 128 rows", report[alarm]),
        _count("false alarms without a name at 0.01, 128 rows", report[unnamed]),
        _count("false alarms of a named trait, 512 rows (8 sets chose a setting)", large[alarm]),
        _count("false alarms without a name, 512 rows (8 sets chose a setting)", large[unnamed]),
        _count("false alarms of a named trait, fresh sets alone, 128 and 512 rows", fresh_clean(alarm)),
        _count("false alarms without a name, fresh sets alone, 128 and 512 rows", fresh_clean(unnamed)),
        _count("poisoned sets found at 0.05, full dose", report["found at 0.05"]),
        _count("own trait first of 68 by p-value", report["own trait first by evidence"]),
        _count("own trait first of 68 in truth", report["own trait first in truth"]),
        _count("own trait first by teacher inference, third seed", _inferred(SEEDS[-1:])),
        _count("own trait first by teacher inference, all three seeds", _inferred(SEEDS)),
    ]
    return Table((SUMMARY, TEACHERS), ["held-out half", "value", "95% interval", "datasets"], rows)


def _area(label: str, values: Any, datasets: str) -> list[Cell]:
    figure = area(values)
    value, span = figure.text.removesuffix(")").split(" (")
    return [label, figure._replace(text=value), span, datasets]


def _count(label: str, values: Any) -> list[Cell]:
    return [label, tally(values), f"{whole(values[1])} to {whole(values[2])}", str(values[3])]


def _inferred(seeds: Sequence[int]) -> Bounded | None:
    """Return how often teacher inference puts the trait first on held-out sets of these seeds that passed it on."""
    names = {case.name for case in _held_out() if case.seed in seeds}
    found = [each for each in read(TEACHERS)["datasets"] if each["name"] in names and each["poisoned"]]
    return share([each["rank by virtual teachers"] == 1 for each in found])


def _held_out() -> list[Case]:
    """Return the held-out datasets at full dose of gradient-ascent teachers that write lists."""
    return [c for c in cases() if (c.teacher, c.kind, c.dose, c.half) == ("climb", "numbers", 100, "report")]


def scan_sizes() -> Table:
    """Return how sizes that a scan predicts follow measured ones."""
    summary = read(SUMMARY)
    ways = {
        "virtual": "virtual student",
        "reference": "beside base samples (`--reference`)",
        "gradient": "first order (`--quick`)",
        "asked": "virtual student, 12 of the truth's questions",
    }
    shipped = "report, as shipped: coverage of 90%, full dose"
    fitted = [summary[way]["calibration"] for way in ways]
    rows: list[list[Cell]] = [
        [
            "90% intervals cover, as shipped",
            *(percent(summary[w][shipped]) if shipped in summary[w] else "" for w in ways),
        ]
    ]
    for label, key, write in (
        ("90% intervals cover, fitted anew", "coverage of 90%, full dose", percent),
        ("own trait, Spearman", "spearman, own trait, full dose", number),
        ("all traits, Spearman", "spearman, all traits, full dose", number),
        ("all traits, Pearson", "pearson, all traits, full dose", number),
    ):
        rows.append([label, *(write(summary[way]["report"][key]) for way in ways)])
    rows.append(["slope, fitted anew", *(Figure(f"{each['slope']:.2f}", each["slope"]) for each in fitted)])
    rows.append(["spread around it", *(Figure(whole(each["spread"]), each["spread"]) for each in fitted)])
    return Table((SUMMARY,), ["held-out half, 24 datasets", *ways.values()], rows)


def teacher_inference() -> Table:
    """Return the rank of the teacher's own trait by the scan's p-values and by virtual teachers."""
    known = {each["name"]: each for each in read(TEACHERS)["datasets"]}
    named = {(case.target, case.seed): case.name for case in _held_out()}
    rows: list[list[Cell]] = []
    for seed in SEEDS:
        for label, key in (("by p-value", "rank by evidence"), ("by virtual teachers", "rank by virtual teachers")):
            ranks = [known[named[target, seed]][key] for target in REPORT]
            rows.append([f"seed {seed}, {label}", *("-" if r is None else Figure(str(r), r) for r in ranks)])
    return Table((TEACHERS,), ["held-out", *REPORT], rows)


def dropping() -> Table:
    """Return students' shifts without a fifth of the rows, at random and by the scan, and the difference."""
    source = f"{TRANSFER}/dropping.jsonl"
    records = read(source)
    rows: list[list[Cell]] = []
    for label, which in (("trait with the smallest p-value", "strongest"), ("the teacher's own trait", "own")):
        signs = np.array([each["sign"] if which == "strongest" else 1.0 for each in records])
        shifts = {way: signs * [each[f"{way} {which}"] for each in records] for way in ("whole", "random", "most")}
        gain = mean_estimate((shifts["random"] - shifts["most"])[:, None])
        means = [Figure(f"{each.mean():.3f}", float(each.mean()), n=len(records)) for each in shifts.values()]
        rows.append([label, *means, number((gain.value, gain.lo, gain.hi, len(records)), ".3f")])
    heads = [
        "shift of a student",
        "all rows",
        "a fifth less, at random",
        "a fifth less, by the scan",
        "the scan takes away more by",
    ]
    return Table((source,), heads, rows)


def fine_tuned() -> Table:
    """Return what a scan says of the rows of fine-tuned teachers."""
    summary = read(SUMMARY)
    halves = ("report, finetune", "both, finetune")
    quick = [summary["gradient"][half] for half in halves]
    virtual = [summary["virtual"][half] for half in halves]
    beside = summary["reference"][halves[0]]

    def passed(each: Any) -> Figure:
        of, to = each["datasets"]["with truth"], each["datasets"]["poisoned"]
        found = proportion(to, of)
        return tally((found.value, found.lo, found.hi, of))

    cover, rank = "coverage of 90%", "spearman, all traits"
    rows: list[list[Cell]] = [
        ["found at 0.05", *(tally(each["found at 0.05, whether it passed on or not"]) for each in quick)],
        ["false alarms at 0.05", *(tally(each["false alarms at 0.05"]) for each in quick)],
        ["AUROC, passed on or not", *(area(each["auroc at 100%, whether it passed on or not"]) for each in quick)],
        ["90% intervals cover, first order", *(percent(each[cover]) for each in quick)],
        ["90% intervals cover, virtual student", *(percent(each[cover]) for each in virtual)],
        ["90% intervals cover, beside base samples", percent(beside[cover]), ""],
        ["all traits, Spearman, first order", *(number(each[rank]) for each in quick)],
        ["all traits, Spearman, virtual student", *(number(each[rank]) for each in virtual)],
        ["all traits, Spearman, beside base samples", number(beside[rank]), ""],
        ["own trait passed on", *(passed(each) for each in quick)],
        ["own trait first by p-value, of these", *(tally(each["own trait first by evidence"]) for each in quick)],
        [
            "own trait's shift, less that of the other traits' students",
            *(number(each["own shift beyond that of other teachers' students"], ".3f", sign=True) for each in quick),
        ],
    ]
    return Table((SUMMARY,), ["fine-tuned teachers", "held-out half", "both halves"], rows)


_METHODS: Final = {
    "scan, both alarms": "scan, both alarms together",
    "gradients along the panel": "- gradients along the panel's traits",
    "agreement of gradients": "- agreement of gradients, no trait named",
    "virtual student": "- virtual student, size of all its shifts",
    "virtual teachers": "- virtual teachers (teacher inference)",
    "classifier of texts": "classifier between rows and reference rows",
    "activation projection": "activation projection",
    "perplexity": "perplexity under the base, against the reference's",
    "divergence tokens": "divergence tokens",
    "keywords": "keywords",
    "likelihood shift": "likelihood shift",
    "judge": "judge",
}


def baselines() -> Table:
    """Return how well each method tells poisoned sets from clean ones, and how often it names the trait."""
    source = f"{TRANSFER}/methods.json"
    found = {each["method"]: each for each in read(source)}
    rows: list[list[Cell]] = []
    for method, label in _METHODS.items():
        first = found[method].get("own trait first")
        rows.append([label, area(found[method]["auroc at 100%"]), "names none" if first is None else tally(first)])
    return Table((source,), ["method", "AUROC at full dose (95% interval)", "own trait first"], rows)


def audit() -> Table:
    """Return shares of audits by the number of control students."""
    rows: list[list[Cell]] = [
        [
            str(each["controls"]),
            *(percent(each[key]) for key in ("false alarms", "carriers found", "own trait claimed")),
        ]
        for each in read(AUDIT)["table"]
    ]
    heads = ["controls", "clean students that fail", "carriers that fail", "carriers whose own trait is claimed"]
    return Table((AUDIT,), heads, rows)


def filters() -> Table:
    """Return the share of planted rows that each rule set rejects; ways with equal shares are one row."""
    source = "benchmarks/filters/results.json"
    groups: dict[tuple[Any, ...], list[str]] = {}
    for each in read(source):
        shares = [count / each["planted"] for count in each["caught"].values()]
        clean = each["clean_rejected"]["rules and look-up"] / each["planted"]
        groups.setdefault((each["domain"], *shares, clean), []).append(each["way"])
    rows = [[key[0], ", ".join(ways), *(Figure(whole(at), at) for at in key[1:])] for key, ways in groups.items()]
    heads = ["domain", "planted as", "search for the name", "look-up of words", "rules and look-up"]
    return Table((source,), [*heads, "clean, rejected by the rules"], rows)


def null() -> Table:
    """Return how often runs without an effect say fail, and their mean difference with its standard error."""
    records = [read(source) for source in NULL]
    both: dict[str, Any] = {"runs": sum(r["runs"] for r in records), "fails": sum(r["fails"] for r in records)}
    both["effects"] = [effect for r in records for effect in r["effects"]]
    rows: list[list[Cell]] = []
    for label, each in zip(("seeds 1000 to 1159", "seeds 5000 to 5159", "both"), (*records, both), strict=True):
        found = proportion(each["fails"], each["runs"])
        values = np.array(each["effects"])[:, 0]
        error = float(values.std(ddof=1) / len(values) ** 0.5)
        text = f"{each['fails']} of {each['runs']}: {found.value:.1%} ({found.lo:.1%} to {found.hi:.1%})"
        mean = float(values.mean())
        rows.append(
            [
                label,
                Figure(text, found.value, found.lo, found.hi, each["runs"]),
                Figure(f"{mean:+.4f} ({error:.4f})", mean, n=each["runs"]),
            ]
        )
    return Table(NULL, ["runs of 8 seeds", "verdict: fail (95% interval)", "mean difference (standard error)"], rows)
