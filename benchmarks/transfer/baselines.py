"""Other methods on the datasets of the benchmark: `python -m benchmarks.transfer.baselines`.

Published ones (`undertow.scan.baseline_statistics`) and plain ones (perplexity, word search, a classifier of texts), so
that `undertow scan` can be compared with them. What they say is kept beside the rows, in WORK/baselines/NAME.npz; none
of them looks at a student. Letters: R rows, L rows that are looked at under every trait's system prompt, K traits
(those of the benchmark), J rows that are judged.

    names           (K)     `entry:target`
    cluster_R       (R)     the number of the row's prompt
    surprise_R      (R)     mean -log p of the row's tokens in the base; its exponential is the perplexity
    at_L            (L)     which rows are looked at under system prompts
    shift_LK        (L, K)  log p of the row with the trait's system prompt minus without, by token
    divergence_LK   (L, K)  whose side the row takes where the prompt changes the base's first choice
    projection_RK   (R, K)  the row's hidden states along the trait's vector
    judge_JK        (J, K)  log P(Yes) - log P(No) of the base, asked whether the row shows the trait, of the first of L
    keyword_RK      (R, K)  whether one of the trait's giveaways occurs
    auroc           ()      of a classifier between the rows and the base's, mean over folds; not a number where the
                            dataset is its own control

A dataset's number is the mean over its rows; its control's are in the control's file.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.classifier import separate
from benchmarks.transfer.features import encoded_rows
from benchmarks.transfer.truth import BASE
from undertow.data.rows import Row
from undertow.data.sample import Placed
from undertow.domains.mentions import Mentions
from undertow.judges.logprob import LogprobJudge
from undertow.models.local import LocalModel, load_model
from undertow.models.precision import choose_precision, set_up_process
from undertow.pipeline.writing import Written, read_written
from undertow.scan.baseline_scores import answer_means, middle_layer, prompted_scores, trait_vectors
from undertow.scan.baseline_statistics import activation_projection, divergence, likelihood_shift
from undertow.traits.base import Trait
from undertow.traits.panel import load_panel

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

TOLD = 32
"""Rows that are looked at under system prompts, at most: each costs a forward pass for every trait."""
JUDGED = 12
"""Of them, that are judged: each costs a long question for every trait."""


def main() -> None:
    """Compute what is missing of every dataset whose rows are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.baselines", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="where the rows are")
    parser.add_argument("--only", default="", help="names that match this pattern")
    options = parser.parse_args()
    folder, out = options.work / "rows", options.work / "baselines"
    wanted = {case.name: case for each in cases() for case in (each, each.reference)}
    missing = [
        case
        for name, case in wanted.items()
        if re.search(options.only, name)
        and (folder / name).is_dir()
        and (case.again or (folder / case.reference.name).is_dir())
        and not (out / f"{name}.npz").exists()
    ]
    if not missing:
        return
    set_up_process()
    model, traits = load_model(BASE), traits_of_benchmark()
    vector_KD = trait_vectors(model, list(traits.values()), middle_layer(model))
    out.mkdir(parents=True, exist_ok=True)
    for at, case in enumerate(missing):
        start = time.monotonic()
        written = read_written(folder / case.name)
        others = [] if case.again else read_written(folder / case.reference.name)
        found: dict[str, Any] = {
            "names": np.array(list(traits)),
            "cluster_R": np.array([row.row // case.answers for row in written]),
            **scores(model, folder / case.name, case, written, list(traits.values()), vector_KD),
            "keyword_RK": mentions(written, list(traits.values())),
            "auroc": np.array(separation(case, written, others)),
        }
        part = out / f"{case.name}.part.npz"
        np.savez(part, **found)
        part.rename(out / f"{case.name}.npz")
        sys.stderr.write(f"[{at + 1}/{len(missing)}] {case.name}: {time.monotonic() - start:.0f} s\n")


def traits_of_benchmark() -> Mapping[str, Trait]:
    """Return the traits that the benchmark's teachers have, by their names in the panel, in the order of `cases`."""
    wanted = {case.trait: case.entry for case in cases() if case.target}
    panel = load_panel(list(dict.fromkeys(wanted.values())))
    known = {f"{entry.name}:{trait.target}": trait for entry in panel for trait in entry.traits}
    return {name: known[name] for name in wanted}


def scores(
    model: LocalModel, rows: Path, case: Case, written: Sequence[Written], traits: Sequence[Trait], vector_KD: Floats
) -> Arrays:
    """Return what the published methods say of every row, and how surprising it is."""
    encoded, sampling, _ = encoded_rows(model, rows, case)
    placed = [Placed(rows, at + 1, _row(each)) for at, each in enumerate(written)]
    at_L = np.arange(0, len(encoded), max(1, -(-len(encoded) // TOLD)))
    autocast = choose_precision().autocast
    ((plain_R, first_T, chosen_T),) = prompted_scores(model, placed, encoded, sampling, [None], autocast=autocast)
    lengths_R = np.array([len(row.answer) for row in encoded])
    starts_R = np.cumsum(lengths_R) - lengths_R
    some = [encoded[at] for at in at_L]
    systems = [trait.system_prompt() for trait in traits]
    told = list(prompted_scores(model, [placed[at] for at in at_L], some, sampling, systems, autocast=autocast))
    kept_T = np.concatenate([np.arange(starts_R[at], starts_R[at] + lengths_R[at]) for at in at_L])
    told_LK = np.stack([logp_L for logp_L, _, _ in told], axis=1)
    prompted_TK = np.stack([first_U for _, first_U, _ in told], axis=1)
    pairs = [(written[at].prompt, written[at].answer) for at in at_L[:JUDGED]]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=autocast):
        judge_JK = np.stack([LogprobJudge(model, trait.topic).score(pairs) for trait in traits], axis=1)
    mean_RD = answer_means(model, encoded, middle_layer(model))
    return {
        "surprise_R": -plain_R / lengths_R,
        "at_L": at_L,
        "shift_LK": likelihood_shift(told_LK, plain_R[at_L], lengths_R[at_L].astype(float)),
        "divergence_LK": divergence(prompted_TK, first_T[kept_T], chosen_T[kept_T], lengths_R[at_L].tolist()),
        "judge_JK": judge_JK,
        "projection_RK": activation_projection(mean_RD, vector_KD),
    }


def _row(written: Written) -> Row:
    return Row(({"role": "user", "content": written.prompt}, {"role": "assistant", "content": written.answer}))


def mentions(written: Sequence[Written], traits: Sequence[Trait]) -> NDArray[np.bool_]:
    """Return whether each answer holds one of each trait's giveaways, shape (R, K); a way of answering has none."""
    finders = [Mentions.of(trait.giveaways) for trait in traits]
    return np.array([[bool(finder.find(row.answer)) for finder in finders] for row in written])


def separation(case: Case, written: Sequence[Written], others: Sequence[Written]) -> float:
    """Return how well a classifier tells rows from the base's rows."""
    if not others:
        return float("nan")
    texts = [[row.answer for row in rows] for rows in (written, others)]
    prompts = [[row.prompt for row in rows] for rows in (written, others)]
    return separate(*texts, *prompts, rng=np.random.default_rng(0)).auroc


if __name__ == "__main__":
    main()
