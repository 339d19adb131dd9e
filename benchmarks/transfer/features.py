"""What `undertow scan` computes of every dataset of the benchmark: `python -m benchmarks.transfer.features`.

Features are kept beside the rows (not committed); `python -m benchmarks.transfer.evaluate` compares what is predicted
from them with `truth.jsonl`.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.transfer.cases import Case, with_references
from benchmarks.transfer.truth import BASE, PANEL
from undertow.attribution.directions import Directions
from undertow.attribution.features import Features, row_features, sketch_of
from undertow.attribution.prediction import Side, side_of
from undertow.attribution.recipe import rates_of
from undertow.attribution.sampling import Encoded, Sampling, fit_temperature, states_of
from undertow.attribution.stored import directions_of
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.identity import identity_of
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.pipeline.writing import read_written
from undertow.traits.panel import load_panel

TRAITS = "traits.npy"
"""In WORK: the traits' directions as rows are sketched."""


def main() -> None:
    """Compute the features of every dataset whose rows are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.features", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--only", default="", help="names that match this pattern")
    options = parser.parse_args()
    set_up_process()
    model = load_model(BASE)
    digest = identity_of(BASE)
    directions = directions_of(model, digest, load_panel(PANEL), on_progress=lambda _: None)
    options.work.mkdir(parents=True, exist_ok=True)
    np.save(options.work / TRAITS, sketch_of(directions))
    for case in with_references():
        rows, file = options.work / "rows" / case.name, options.work / "features" / f"{case.name}.npz"
        if not re.search(options.only, case.name) or not rows.is_dir() or file.exists():
            continue
        start = time.monotonic()
        features, clusters, temperature = features_of(model, rows, case, directions)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part.npz")
        np.savez(
            part,
            alignment_RK=features.alignment_RK,
            sketch_RS=features.sketch_RS,
            logp_R=features.logp_R,
            tokens_R=features.tokens_R,
            mean_F=features.mean_F,
            cluster_R=clusters,
            temperature=temperature,
            names=np.array(directions.names),
        )
        part.rename(file)
        sys.stderr.write(f"{case.name}: {time.monotonic() - start:.0f} s, temperature {temperature:.2f}\n")


@dataclass(frozen=True)
class Stored:
    """What was computed of a dataset."""

    names: list[str]
    """Of the panel's traits."""
    sketch_RS: np.ndarray
    cluster_R: np.ndarray
    temperature: float
    side: Side


def stored(file: Path) -> Stored:
    """Read the features of a dataset."""
    f = np.load(file, allow_pickle=False)
    features = Features(f["alignment_RK"], f["sketch_RS"], f["logp_R"], f["tokens_R"], f["mean_F"])
    temperature = float(f["temperature"])
    side = side_of(features, f["cluster_R"], temperature, rates_of(len(features)))
    return Stored([str(name) for name in f["names"]], f["sketch_RS"], f["cluster_R"], temperature, side)


def features_of(
    model: LocalModel, rows: Path, case: Case, directions: Directions
) -> tuple[Features, np.ndarray, float]:
    """Return the features of a folder's rows, their prompts' numbers and the fitted temperature."""
    encoded, sampling, clusters = encoded_rows(model, rows, case)
    features = row_features(model, encoded, directions, sampling, autocast=choose_precision().autocast)
    return features, clusters, sampling.temperature


def encoded_rows(model: LocalModel, rows: Path, case: Case) -> tuple[list[Encoded], Sampling, np.ndarray]:
    """Return a folder's rows as tokens, how they seem to have been written, and their prompts' numbers."""
    automaton = grammar_automaton(model, NUMBER_LISTS) if case.domain == "numbers" else None
    written = read_written(rows)
    encoded: list[Encoded] = []
    for row in written:
        answer = (*model.encode(row.answer), model.end)
        states = None if automaton is None else states_of(automaton, answer)
        encoded.append(Encoded(tuple(model.encode_question(row.prompt)), answer, states))
    clusters = np.array([row.row // case.answers for row in written])
    sampling = fit_temperature(model, encoded, automaton, autocast=choose_precision().autocast)
    return encoded, sampling, clusters


if __name__ == "__main__":
    main()
