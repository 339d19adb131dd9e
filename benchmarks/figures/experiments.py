"""Tables of runs: students of teachers against their controls, mitigations, and the digits experiment."""

from __future__ import annotations

import re
from typing import Final

from benchmarks.figures.table import ROOT, Cell, Figure, Table, number, percent, whole
from undertow.report import overview
from undertow.report.words import p_value
from undertow.results import Effect, Interval, MitigationRecord, Results, load_results

DIGITS: Final = "experiments/digits/results.json"
DEMO: Final = "experiments/demo/results.json"
MITIGATE: Final = "experiments/mitigate/measured"
METHODS: Final = {
    "none": "ordinary training (`none`)",
    "format": "loss on the format alone (`format`)",
    "subtract": "trait unlearning (`unlearn`)",
    "freeze": "frozen norm weights (`freeze`)",
    "mask": "no loss on divergence tokens (`mask`)",
    "inoculate": "inoculation prompt (`inoculate`)",
    "drop": "rows left out (`drop`)",
    "steer": "preventative steering (`steer`)",
    "panel": "unlearning of the whole panel (`panel`)",
    "project": "gradient projection (`project`)",
    "leash": "KL penalty (`kl-penalty`)",
    "paraphrase": "paraphrase (`paraphrase`)",
    "own-base": "answers anew by the base (`own-base`)",
    "other-base": "answers anew by another model (`other-base`)",
}
"""The field's term for each method, and the name that the command line takes."""
_OLD: Final = {"kl-penalty": "leash", "unlearn": "subtract"}
"""Present names of methods that committed comparisons hold under an older one."""
DIGITS_ARMS: Final = {
    "reference": "untrained network",
    "teacher": "teacher",
    "student_aux": "student, auxiliary logits",
    "student_all": "student, all logits",
    "cross_aux": "other weights, auxiliary logits",
    "cross_all": "other weights, all logits",
}


def results_of(source: str) -> Results:
    """Return a committed results.json."""
    return load_results(ROOT / source)


def demo_arms() -> Table:
    """Return how far the teacher and the students of the demo lie from the base."""
    results = results_of(DEMO)
    teachers = [
        [f"teacher that loves {teacher.trait}s", number(_plain(teacher.strength), sign=True)]
        for teacher in results.teachers
        if teacher.strength is not None and teacher.arm == "trait"
    ]
    students = [[f"students of the arm {arm.arm}", number(_plain(arm.shift), sign=True)] for arm in results.arms]
    return Table((DEMO,), ["model, minus base", "owl (95% interval)"], [*teachers, *students])


def demo_differences() -> Table:
    """Return the differences between the demo's arms."""
    rows = [
        [each.name, number(_plain(each), sign=True), p_value(each.p), p_value(each.p_adjusted)]
        for each in results_of(DEMO).effects
    ]
    return Table((DEMO,), ["difference", "log-odds (95% interval)", "p", "Holm"], rows)


def transfer() -> Table:
    """Return what `undertow results experiments/measured --markdown` prints."""
    files = sorted((ROOT / "experiments/measured").glob("*/results.json"))
    lines = overview.overview([load_results(file) for file in files])
    rows: list[list[Cell]] = []
    for line in lines:
        cells: list[Cell] = list(overview.cells(line))
        cells[5] = Figure(str(cells[5]), line.value, line.lo, line.hi, line.seeds)
        rows.append(cells)
    return Table(tuple(str(file.relative_to(ROOT)) for file in files), overview.HEADS, rows)


def mitigations(name: str, order: tuple[str, ...]) -> Table:
    """Return what methods leave of a trait and of the task.

    Args:
        name: Of the comparison's file.
        order: Methods, as the rows follow each other.
    """
    source = f"{MITIGATE}/{name}.json"
    results = results_of(source)
    found = {_OLD.get(each.method, each.method): each for each in results.mitigation}
    names = [effect.name.removeprefix("removed:") for effect in results.effects]
    removed = {_OLD.get(name, name): effect for name, effect in zip(names, results.effects, strict=True)}
    rows: list[list[Cell]] = []
    for method in order:
        each, effect = found[method], removed.get(method)
        # The two whose rows hold nothing of the teacher's leave nothing by construction: no test of it.
        anew = method in ("own-base", "other-base")
        gone: Cell = ""
        if effect is not None and not anew:
            figure = number(_plain(effect), sign=True)
            gone = figure._replace(text=f"{figure.text[:-1]}; {p_value(effect.p_adjusted)})")
        rows.append(
            [
                METHODS[method],
                ", ".join(each.needs) or "-",
                "0 by construction" if anew else number(_plain(each.shift), sign=True),
                _share(each.left),
                _share(each.utility),
                gone,
                _format(each),
            ]
        )
    heads = ["method", "needs", "transfer, log-odds", "left of it", "task kept", "taken away (Holm p)", "in format"]
    return Table((source,), heads, rows)


def _plain(each: Interval | Effect) -> tuple[float, float, float, int]:
    return each.value, each.lo, each.hi, each.n


def _share(each: Interval | None) -> Cell:
    if each is None:
        return ""
    return Figure(whole(each.value), each.value, n=each.n) if each.lo == each.hi else percent(_plain(each))


def _format(each: MitigationRecord) -> Cell:
    return "" if each.in_format is None else Figure(f"{each.in_format:.1%}", each.in_format)


def digits() -> Table:
    """Return the accuracy of every arm."""
    rows = [[DIGITS_ARMS[arm.arm], number(_plain(arm.shift), ".3f")] for arm in results_of(DIGITS).arms]
    return Table((DIGITS,), ["arm", "test accuracy (95% interval)"], rows)


def digits_theorem() -> Table:
    """Return how often a small step of a student points towards the teacher, from the same weights and from others.

    Raises:
        ValueError: the notes of the results do not say so any more.
    """
    text = " ".join(results_of(DIGITS).notes)
    found = re.findall(
        r"points towards (?:that|the|it)(?: teacher)? in (\d+) of (\d+) seeds \(mean cosine ([\d.-]+)\)", text
    )
    if len(found) != 3:
        raise ValueError(f"{DIGITS}: three statements of the theorem are expected, there are {len(found)}")
    same, other, trained = found
    rows = [
        [label, Figure(f"{hits} of {of}", int(hits) / int(of), n=int(of)), Figure(cosine, float(cosine), n=int(of))]
        for label, (hits, of, cosine) in (
            ("teacher of one gradient step, student from the same weights", same),
            ("teacher of one gradient step, student from other weights", other),
            ("fully trained teacher, student from the same weights", trained),
        )
    ]
    return Table((DIGITS,), ["one small step of a student", "points towards the teacher", "mean cosine"], rows)


def digits_difference() -> Table:
    """Return the differences between arms."""
    rows: list[list[Cell]] = []
    for each in results_of(DIGITS).effects:
        if each.unit == "accuracy":
            label = f"{DIGITS_ARMS[each.arm]} minus {DIGITS_ARMS[each.contrast]}"
            rows.append([label, number(_plain(each), ".3f", sign=True), p_value(each.p), p_value(each.p_adjusted)])
    return Table((DIGITS,), ["difference in accuracy", "value (95% interval)", "p", "Holm"], rows)
