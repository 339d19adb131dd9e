"""Tables of what was foretold beside what was measured: rehearsals and memory."""

from __future__ import annotations

from typing import Final

from benchmarks.figures.table import Cell, Figure, Table, number, read, whole

REHEARSAL: Final = "benchmarks/rehearsal/results.json"
MEMORY: Final = "benchmarks/memory/results.json"
_MOST: Final = 5
_MIB: Final = 2**20


def rehearsal() -> Table:
    """Return the teacher's own trait and those that moved most, predicted by a rehearsal and really trained."""
    record = read(REHEARSAL)
    rows: list[list[Cell]] = []
    for length in record["compared"].values():
        traits = length["traits"]
        order = sorted(traits, key=lambda name: (name != record["teacher"], -abs(traits[name]["measured"][0])))
        for name in order[: _MOST + 1]:
            each = traits[name]
            measured, predicted, stays = (each[what] for what in ("measured", "predicted", "no growth"))
            cells = [number([*shift, len(record["seeds"])], sign=True) for shift in (measured, predicted)]
            rows.append([f"{length['rows']}, {name.partition(':')[2]}", *cells, f"{stays[0]:+.2f}"])
    return Table((REHEARSAL,), ["rows, trait", "measured", "predicted", "no growth"], rows)


def rehearsal_errors() -> Table:
    """Return how far each way to predict is off, over all traits of the panel."""
    ways = ("nothing", "no growth", "linear growth", "growth curve")
    rows: list[list[Cell]] = []
    for length in read(REHEARSAL)["compared"].values():
        errors = [Figure(f"{length['error'][way]:.3f}", length["error"][way], n=len(length["traits"])) for way in ways]
        held = length["held"]["growth curve"]
        rows.append([f"{length['rows']}", *errors, Figure(whole(held), held), f"{length['rank']['growth curve']:.2f}"])
    return Table((REHEARSAL,), ["rows", *ways, "intervals that hold it", "rank correlation"], rows)


def memory() -> Table:
    """Return the largest resident memory of every verb, beside what is foretold from sizes alone."""
    record = read(MEMORY)
    rows: list[list[Cell]] = []
    for label, each in record["lines"].items():
        model, verb = label.split(", ")
        told, found = each["foretold"] / _MIB, each["measured"] / _MIB
        cells = [Figure(f"{value:,.0f}", value) for value in (told, found)]
        rows.append([f"{model.rpartition('/')[2]}, {verb}", *cells, Figure(f"{told / found:.2f}", told / found)])
    return Table((MEMORY,), ["model, verb", "foretold, MiB", "measured, MiB", "foretold / measured"], rows)


def large_models() -> Table:
    """Return what is foretold for 1,000 rows, of the embedded model and of two large ones."""
    record = read(MEMORY)
    rows: list[list[Cell]] = [
        [verb, *(Figure(f"{told / 2**30:,.1f}", told / 2**30) for told in by_model.values())]
        for verb, by_model in record["many"].items()
    ]
    return Table((MEMORY,), ["verb, recipe", "SmolLM2-135M", "Llama of 8B", "Llama of 70B"], rows)
