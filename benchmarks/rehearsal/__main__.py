"""Rehearse a training, and then really train: `python -m benchmarks.rehearsal --work FOLDER`.

A prompted teacher and a harmless one (the same model under a neutral prompt) write the same lists. A rehearsal on a few
rows predicts what `lora-sft` does to SmolLM2-135M on four and on sixteen times the rows. Then students are trained on
so many, with other seeds, and asked other questions than those of the rehearsal. Every block of rows and every student
is kept in FOLDER: the same command goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rehearsal.compare import compared, shown
from benchmarks.rehearsal.writing import BASE, NEUTRAL, WRITERS, encoded, rows_of, trait_of
from benchmarks.speed.measured import machine, say, timed
from undertow.attribution.measure import EncodedRows
from undertow.attribution.rehearsal import Rehearsal, Stage, rehearse
from undertow.attribution.rehearsal_plan import RehearsalPlan, full_spent
from undertow.attribution.stored import panel_digest
from undertow.config.recipes.load import load_recipe
from undertow.config.recipes.spec import RecipeSpec
from undertow.models.identity import identity_of
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.probes.panel import INDEPENDENT, QUESTIONS, spread, trait_names
from undertow.stats.growth import growth
from undertow.store.folder import RunFolder
from undertow.traits.base import Choice
from undertow.traits.panel import Panel, PanelEntry, load_panel

RESULTS = Path(__file__).parent / "results.json"
OTHER_SEEDS = 1000
"""Between the seeds of rehearsed students and those of the students that they are compared with."""


@dataclass(frozen=True)
class HeldOut(PanelEntry):
    """An entry with the questions that no scan asks."""

    @property
    def probe(self) -> Sequence[Choice]:
        """The other questions."""
        every = super().probe
        asked = set(spread(every, QUESTIONS))
        return [choice for at, choice in enumerate(every) if at not in asked]


def main() -> None:
    """Write rows, rehearse, train, compare, and store the raw shifts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rehearsal", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="where rows and students are kept")
    parser.add_argument("--trait", default="animals:eagle", help="of the teacher, as entry:target")
    parser.add_argument("--recipe", default="lora-sft")
    parser.add_argument("--rows", type=int, default=64, help="of a rehearsed student")
    parser.add_argument("--times", type=int, nargs="+", default=[4, 16], help="as many rows in the full trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--panel", nargs="+", help="entries; all when absent")
    parser.add_argument("--until", choices=("rows", "rehearsal", "students"), default="students", help="stop after it")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    set_up_process()
    most = options.rows * max(options.times)
    with timed("rows"):
        trait = trait_of(options.trait)
        folders = [rows_of(writer, most, trait, options.work, say) for writer in WRITERS]
    if options.until == "rows":
        return
    model, recipe = load_model(BASE), load_recipe(options.recipe).spec
    sides = [encoded(model, label, each, most) for label, each in zip(WRITERS, folders, strict=True)]
    panel = load_panel(options.panel)
    spec = {"kind": "benchmark", "rows": options.rows, "recipe": options.recipe, "trait": options.trait}
    with RunFolder.open(options.work, name="rehearsal", spec=spec) as folder:
        with timed("rehearsal"):
            plan = RehearsalPlan(options.rows, options.seeds)
            rehearsed = act(folder, model, panel, sides, plan, recipe, most)
        if options.until == "rehearsal":
            return
        held_out = tuple(HeldOut(each.name, each.kind, each.about, each.traits) for each in panel)
        later = recipe.model_copy(update={"seed": recipe.seed + OTHER_SEEDS})
        trained: dict[int, Rehearsal] = {}
        for times in options.times:
            rows = times * options.rows
            with timed(f"students of {rows:,} rows"):
                trained[times] = act(folder, model, held_out, sides, RehearsalPlan(rows, options.seeds, 1), later, rows)
    record = results(trait_names(panel), rehearsed, trained, recipe, options)
    options.out.write_text(json.dumps(record, indent=None, separators=(",", ":")) + "\n", encoding="utf-8")
    for times in options.times:
        sys.stdout.write(f"\n{times} times the rows\n{shown(record['compared'][str(times)], options.trait)}\n")


def act(
    folder: RunFolder,
    model: LocalModel,
    panel: Panel,
    sides: Sequence[EncodedRows],
    plan: RehearsalPlan,
    recipe: RecipeSpec,
    read: int,
) -> Rehearsal:
    """Train students of both sides, as a rehearsal or in full, and ask them."""
    held = any(isinstance(entry, HeldOut) for entry in panel)
    key = {"student": identity_of(BASE), "panel": panel_digest(panel), **({"questions": "held out"} if held else {})}
    label = "students" if held else "rehearsal"
    stage = Stage(folder, model, panel, key, choose_precision().autocast, f"{label}-{plan.rows}")
    told = [""]

    def tick(share: float, student: str) -> None:
        if student != told[0]:
            told[0] = student
            say(f"{plan.rows:,} rows: {student}")

    return rehearse(stage, sides[0], sides[1], plan, recipe, read=read, tick=tick)


def results(
    names: Sequence[str],
    rehearsed: Rehearsal,
    trained: dict[int, Rehearsal],
    recipe: RecipeSpec,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Return what is committed: how it was made, raw shifts, and predicted beside measured."""
    found: dict[str, Any] = {}
    for times, students in trained.items():
        full = full_spent(times * options.rows, recipe)
        grown = growth(rehearsed.shift_K, rehearsed.spent_T, full, independent=INDEPENDENT)
        truth_K = [shift_STQ[:, -1] for shift_STQ in students.shift_K]
        found[str(times)] = {
            "rows": times * options.rows,
            "steps": students.full_steps,
            "ratio": round(grown.ratio, 3),
            "exponent": grown.exponent,
            **compared(names, grown.traits, truth_K),
        }
    return {
        "command": "python -m benchmarks.rehearsal " + " ".join(sys.argv[1:]),
        "machine": machine(),
        "precision": choose_precision().dtype,
        "base": BASE,
        "teacher": options.trait,
        "harmless": NEUTRAL,
        "recipe": recipe.model_dump(mode="json", exclude_defaults=True),
        "rows": rehearsed.rows,
        "seeds": rehearsed.seeds,
        "steps": rehearsed.steps,
        "spent": rehearsed.spent_T,
        "compared": found,
        "shifts": {
            "rehearsed": dict(zip(names, map(_short, rehearsed.shift_K), strict=True)),
            **{str(n): dict(zip(names, map(_short, each.shift_K), strict=True)) for n, each in trained.items()},
        },
    }


def _short(table: np.ndarray) -> list[Any]:
    return np.round(table, 4).tolist()


if __name__ == "__main__":
    main()
