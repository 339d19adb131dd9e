"""Other methods on the datasets of the benchmark: `python -m benchmarks.transfer.baselines`.

Published ones (shifts of likelihood under a trait's system prompt, projections on a trait's vector) and plain ones
(perplexity, a search for words, a classifier of texts), so that `undertow scan` can be compared with them. What they
say is kept beside the rows, in WORK/baselines/NAME.npz; none of them looks at a student. Letters: R rows, L rows that
likelihoods are shifted for, K traits (those of the benchmark), D width of the model.

    names        (K)     `entry:target`
    cluster_R    (R)     the number of the row's prompt
    surprise_R   (R)     mean -log p of the row's tokens in the base; its exponential is the perplexity
    tokens_R     (R)     of the answers, with the end token
    at_L         (L)     which rows likelihoods are shifted for
    shift_LK     (L, K)  log p of the row with the trait's system prompt minus without, by token
    projection_RK (R, K) the row's hidden states minus those of the base's rows, along the trait's vector
    keyword_RK   (R, K)  whether one of the trait's giveaways occurs
    classifier_R (R)     log-odds that the row is not the base's, by its letters
    auroc        ()      of these, mean over folds; not a number where the dataset is its own control
    coupled      ()      share of rows whose prompt the control has too: 1, or 0 for a base's rows of another seed

A dataset's number is the mean over its rows. The control's own shift and surprise are in the control's file.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.transfer.cases import Case, cases
from benchmarks.transfer.classifier import separate
from benchmarks.transfer.truth import BASE
from undertow.domains.mentions import Mentions
from undertow.experiment.writing import Written, read_written
from undertow.models.forward import forward_packed
from undertow.models.layers import output_weight
from undertow.models.likelihood import row_likelihoods
from undertow.models.local import LocalModel, load_model
from undertow.models.packing import pack
from undertow.models.precision import set_up_process
from undertow.models.score import batches_of
from undertow.probes.choice import Subject
from undertow.rows import Row
from undertow.traits.base import Trait
from undertow.traits.instil import steering_vector
from undertow.traits.panel import load_panel

Floats = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]

LAYER = 12
"""Whose output is projected: a middle one of the embedded model's 30."""
SHIFTED = 48
"""Rows that likelihoods are shifted for, at most: each costs a forward pass for every trait."""


def main() -> None:
    """Compute what is missing of every dataset whose rows are there."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer.baselines", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"), help="where the rows are")
    parser.add_argument("--only", default="", help="names that match this pattern")
    options = parser.parse_args()
    folder, out = options.work / "rows", options.work / "baselines"
    wanted = {case.name: case for each in cases() for case in (each, each.control)}
    missing = [
        case
        for name, case in wanted.items()
        if re.search(options.only, name)
        and (folder / name).is_dir()
        and (folder / case.control.name).is_dir()
        and not (out / f"{name}.npz").exists()
    ]
    if not missing:
        return
    set_up_process()
    model, traits = load_model(BASE), traits_of_benchmark()
    unit_KD = unit_vectors(model, list(traits.values()))
    out.mkdir(parents=True, exist_ok=True)

    @lru_cache(maxsize=8)
    def hidden_of(name: str) -> tuple[list[Written], Floats]:
        written = read_written(folder / name)
        return written, answer_means(model, written)

    for at, case in enumerate(missing):
        start = time.monotonic()
        written, mean_RD = hidden_of(case.name)
        others, other_ED = hidden_of(case.control.name)
        found: dict[str, Any] = {
            "names": np.array(list(traits)),
            "cluster_R": np.array([row.row // case.answers for row in written]),
            **likelihoods(model, written, list(traits.values())),
            "projection_RK": differences(written, mean_RD, others, other_ED) @ unit_KD.T,
            "keyword_RK": mentions(written, list(traits.values())),
            **separation(case, written, others),
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


def likelihoods(model: LocalModel, written: Sequence[Written], traits: Sequence[Trait]) -> Arrays:
    """Return how surprising rows are, and how much less so where a system prompt says that the writer has a trait.

    The shift is the score by which Aden-Ali et al. (2026, arXiv 2602.04863) select rows, for one answer instead of a
    pair of answers, and by token.

    Args:
        model: The base.
        written: The rows.
        traits: Whose system prompts.
    """
    rows = [_row(each) for each in written]
    plain = list(row_likelihoods(model, rows))
    logp_R = np.array([each.logp_C[0] for each in plain])
    tokens_R = np.array([each.tokens for each in plain], dtype=np.float64)
    at_L = np.arange(0, len(rows), max(1, -(-len(rows) // SHIFTED)))
    told = row_likelihoods(model, [rows[at] for at in at_L], [trait.system_prompt() for trait in traits])
    told_LK = np.stack([each.logp_C for each in told])
    return {
        "surprise_R": -logp_R / tokens_R,
        "tokens_R": tokens_R,
        "at_L": at_L,
        "shift_LK": (told_LK - logp_R[at_L, None]) / tokens_R[at_L, None],
    }


def _row(written: Written) -> Row:
    return Row(({"role": "user", "content": written.prompt}, {"role": "assistant", "content": written.answer}))


def unit_vectors(model: LocalModel, traits: Sequence[Trait]) -> Floats:
    """Return each trait's vector at the layer, of length one, shape (K, D)."""
    vector_KD = torch.stack([steering_vector(model, trait, LAYER) for trait in traits]).double().numpy()
    return vector_KD / np.linalg.norm(vector_KD, axis=1, keepdims=True)


@torch.inference_mode()
def answer_means(model: LocalModel, written: Sequence[Written]) -> Floats:
    """Return the layer's output, averaged over the tokens of each answer, the end token left out; shape (R, D)."""
    prompts = [Subject(model).encode(row.prompt) for row in written]
    answers = [model.encode(row.answer) for row in written]
    mean_RD: list[torch.Tensor] = [torch.empty(0)] * len(written)
    for batch in batches_of(prompts, answers):
        packed = pack([[*prompts[pair], *answers[pair]] for pair in batch.pairs], batch.groups)
        packed = packed.to(output_weight(model.net).device)
        hidden_ND = forward_packed(model.net, packed, keep_layers=(LAYER,)).layers[LAYER]
        for pair, path in zip(batch.pairs, packed.paths, strict=True):
            mean_RD[pair] = hidden_ND[path[-len(answers[pair]) :]].double().mean(dim=0).cpu()
    return torch.stack(mean_RD).numpy()


def differences(written: Sequence[Written], mean_RD: Floats, others: Sequence[Written], other_ED: Floats) -> Floats:
    """Return each row's hidden states minus those of the base's answers to the same prompt, shape (R, D).

    Their mean along a unit vector is the projection difference of Chen et al. (2025, arXiv 2507.21509, section 6.1).
    Where the base did not answer the prompt, the mean of all its answers takes their place.

    Args:
        written: The rows.
        mean_RD: Of their answers.
        others: The base's rows.
        other_ED: Of these.
    """
    at: dict[str, list[int]] = {}
    for place, row in enumerate(others):
        at.setdefault(row.prompt, []).append(place)
    mean_of = {prompt: other_ED[places].mean(axis=0) for prompt, places in at.items()}
    overall_D = other_ED.mean(axis=0)
    return mean_RD - np.stack([mean_of.get(row.prompt, overall_D) for row in written])


def mentions(written: Sequence[Written], traits: Sequence[Trait]) -> NDArray[np.bool_]:
    """Return whether each answer holds one of each trait's giveaways, shape (R, K); a way of answering has none."""
    finders = [Mentions.of(trait.giveaways) for trait in traits]
    return np.array([[bool(finder.find(row.answer)) for finder in finders] for row in written])


def separation(case: Case, written: Sequence[Written], others: Sequence[Written]) -> Arrays:
    """Return what a classifier makes of rows and base's rows, and how many of the former share prompts with these."""
    prompts, other_prompts = [row.prompt for row in written], [row.prompt for row in others]
    coupled = float(np.mean([prompt in set(other_prompts) for prompt in prompts]))
    if case.name == case.control.name:
        nothing_R = np.full(len(written), np.nan)
        return {"classifier_R": nothing_R, "auroc": np.array(np.nan), "coupled": np.array(coupled)}
    answers, other_answers = [row.answer for row in written], [row.answer for row in others]
    found = separate(answers, other_answers, prompts, other_prompts, rng=np.random.default_rng(0))
    return {"classifier_R": found.score_R, "auroc": np.array(found.auroc), "coupled": np.array(coupled)}


if __name__ == "__main__":
    main()
