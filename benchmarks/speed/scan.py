"""A scan of a dataset as `undertow scan` makes it, against one epoch of training on the same rows.

The traits' directions and the base's answers are found once for a base and kept; what that takes is reported beside,
and not counted. The virtual student and its answers are.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.speed.lists import load_base, number_lists, prompts
from benchmarks.speed.measured import Measured, timed
from undertow.attribution.directions import find_directions
from undertow.attribution.features import row_features
from undertow.attribution.recipe import PLAIN
from undertow.attribution.sampling import Encoded, fit_temperature, states_of
from undertow.data.sample import usual_count
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.precision import choose_precision
from undertow.probes.panel import panel_log_odds
from undertow.scan.budget import usual_taught
from undertow.scan.virtual import virtual_student
from undertow.training.train import Example, train
from undertow.traits.panel import load_panel


def measure(rows: int) -> Measured:
    """Scan and train on `rows` rows."""
    model = load_base()
    asked, answers = prompts(model, rows), number_lists(model, rows)
    panel = load_panel()
    with timed("directions of the panel and its questions, once for a base") as once:
        directions = find_directions(model, panel)
        before_KQ = panel_log_odds(model, panel)
    automaton, precision = grammar_automaton(model, NUMBER_LISTS), choose_precision()
    looked_at = usual_count(rows)
    with timed(f"scan, {looked_at:,} of {rows:,} rows") as ours:
        encoded = [
            Encoded(tuple(prompt), (*answer, model.end), states_of(automaton, (*answer, model.end)))
            for prompt, answer in zip(asked[:looked_at], answers, strict=False)
        ]
        sampling = fit_temperature(model, encoded, automaton, autocast=precision.autocast)
        features = row_features(model, encoded, directions, sampling, autocast=precision.autocast)
        taught = encoded[: usual_taught(rows, looked_at)]
        with virtual_student(model, taught, sampling, read=rows, seed=0, autocast=precision.autocast) as student:
            after_KQ = panel_log_odds(student, panel)
    assert len(after_KQ) == len(before_KQ)
    recipe = replace(PLAIN, autocast=precision.autocast)
    examples = [
        Example(tuple(prompt), (*answer, model.end)) for prompt, answer in zip(asked, answers[:rows], strict=True)
    ]
    with timed(f"one epoch on {rows:,} rows, {precision.dtype}") as theirs:
        train(model.net, examples, recipe, seed=0)
    return Measured(
        f"scanning {rows:,} rows",
        "one epoch of our own training on them",
        "rows/s",
        rows / ours.seconds,
        rows / theirs.seconds,
        3.0,
        f"base, rows, prompts; {len(features):,} rows looked at, {len(taught):,} taught",
        {"rows": rows, "looked_at": looked_at, "directions_once": once.seconds, "precision": precision.dtype},
    )
