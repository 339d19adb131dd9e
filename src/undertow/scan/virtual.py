"""A virtual student: the base is trained on a sample of the rows for a real student's steps, and then measured.

A first-order prediction approximates saturation and curvature; training has both. Two things make a virtual student
cheaper than training. Each step reads a sample of the rows that a real step would read, at the same learning rates. And
no control student is needed: log-probabilities are taken among the tokens that could be written (`sampling`). There,
rows that the base itself wrote have gradients of mean zero. So the rows' format has no effect, and the prediction is
the student's shift from the base.

The format carries information too. A changed teacher formats its lists a little differently, and is more or less
certain than the base. From the rows alone, this looks like another temperature. With rows of the base at hand, a
student of the rows' whole loss (`whole`) predicts more. A second student is subtracted from it. That one learns from
the base's rows, with the base's own distribution at each position as its target (`own`), so it has no sampling noise.

Under another recipe than plain gradient steps the student is trained by that recipe: its optimiser, schedule and
adapter, on so many rows a step as the sample allows.

It knows nothing of uncertainty: that comes from the rows' gradients (`prediction`) and the benchmark (`calibration`).

    with virtual_student(model, rows, sampling, read=4000, seed=0) as student:
        asked_KQ = panel_log_odds(student, panel)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.attribution.recipe import PLAIN, rates_of
from undertow.attribution.sampling import (
    Encoded,
    Sampling,
    expected_logprobs,
    format_logprobs,
    possible_logprobs,
    states_before,
)
from undertow.attribution.student import lent_student
from undertow.config.recipes.spec import RecipeSpec
from undertow.models.engine.head import Head, head_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel
from undertow.models.memory import chunks_within, tokens_that_fit
from undertow.models.packing import pack
from undertow.training.recipe import Recipe, batches, by_row, recipe_from
from undertow.training.train import optimiser_of, token_weights

Floats = NDArray[np.float64]

_TOGETHER = 3


@contextmanager
def virtual_student(
    model: LocalModel,
    rows: Sequence[Encoded],
    sampling: Sampling,
    *,
    read: int,
    seed: int,
    row_R: Sequence[int] | None = None,
    recipe: Recipe | RecipeSpec = PLAIN,
    whole: bool = False,
    own: bool = False,
    autocast: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> Generator[LocalModel]:
    """Train the base in place on the rows, and give it back its weights when the context ends.

    Args:
        model: The base.
        rows: Rows of the dataset, or a sample of them; one for each answer that carries loss.
        sampling: How they were written.
        read: Rows of the whole dataset: they say how many steps there are, and how long each is.
        seed: Fixes the order of the rows, and dropout.
        row_R: The row that each answer belongs to, where rows have several; a step learns all answers of its rows.
        recipe: Of the student that is predicted.
        whole: Learn as a student does, among all tokens and at temperature 1, the format as well.
        own: Learn what the base would have written at each place of the rows, not what stands there.
        autocast: Run matrix products in bf16, see `undertow.models.precision`.
        on_progress: Called with the share of steps that is done.
    """
    answers = by_row([None] * len(rows) if row_R is None else row_R)
    rates, plain = rates_of(read, recipe), recipe
    if isinstance(plain, RecipeSpec):
        # As often as the predicted steps go through the whole dataset.
        plain = replace(PLAIN, batch=plain.batch, epochs=-(-len(rates) // -(-read // plain.batch)))
    else:
        rates = together(rates, len(answers), plain.batch)
    steps = [
        sorted((rows[at] for row in chosen for at in answers[row]), key=lambda row: (len(row.prompt), row.prompt))
        for chosen in portions([rows[first].prompt for first, *_ in answers], len(rates), plain, seed)
    ]
    # A copy: the student's own head changes, and with it what it would be taught.
    base = head_of(model.net).kept() if own else None
    writers = [
        None if base is None or not some else (states_before(model, some, autocast=autocast), base) for some in steps
    ]
    clip = recipe.clip if isinstance(recipe, RecipeSpec) else None
    dropped_out = isinstance(recipe, RecipeSpec) and recipe.adapter is not None
    with lent_student(model, recipe) as student, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        obeyed = recipe_from(recipe, autocast=autocast) if isinstance(recipe, RecipeSpec) else recipe
        optimiser = optimiser_of(student.net, obeyed)
        weights = [weight for weight in student.net.parameters() if weight.requires_grad]
        student.net.train(dropped_out)
        for at, (rate, some, writer) in enumerate(zip(rates, steps, writers, strict=True)):
            if some:
                _backward(student, some, sampling, whole=whole, writer=writer, autocast=autocast)
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(weights, clip)
                for group in optimiser.param_groups:
                    group["lr"] = rate
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)
            on_progress((at + 1) / len(rates))
        del optimiser
        student.net.eval()
        yield student


def together(rates: Sequence[float], rows: int, batch: int) -> list[float]:
    """Return learning rates of fewer, longer steps where a step would have less than half a batch: each has its price.

    Up to three steps are made at once, which changes shifts no more than another order of the rows does
    (docs/lab-notebook.md, 26 November).
    """
    steps = max(-(-len(rates) // _TOGETHER), min(len(rates), rows // max(batch // 2, 1)))
    return [float(part.sum()) for part in np.array_split(np.array(rates), steps)]


def portions(prompts: Sequence[object], steps: int, recipe: Recipe, seed: int) -> list[list[int]]:
    """Return the rows of every step: evenly many, at most a batch, rows of one prompt together."""
    order = [row for step in batches(prompts, recipe, seed) for row in step]
    order = order[: steps * recipe.batch]
    return [part.tolist() for part in np.array_split(np.array(order, dtype=np.int64), steps)]


def _backward(
    model: LocalModel,
    rows: list[Encoded],
    sampling: Sampling,
    *,
    whole: bool,
    writer: tuple[torch.Tensor, Head] | None,
    autocast: bool,
) -> None:
    """Add up the gradients of a step, a few rows at a time: what it learns, a mean over its tokens by weight."""
    starts = [0, *accumulate(len(row.answer) for row in rows)]
    total = sum(row.weight * len(row.answer) for row in rows)
    sizes = [len(row.prompt) + len(row.answer) for row in rows]
    for part in chunks_within(sizes, tokens_that_fit(model.net)):
        written = None if writer is None else (writer[0][starts[part.start] : starts[part.stop]], writer[1])
        learned_T = _learned_of(model, rows[part], sampling, whole=whole, writer=written, autocast=autocast)
        weight_T = token_weights(rows[part])
        summed = learned_T.sum() if weight_T is None else (learned_T * weight_T.to(learned_T.device)).sum()
        (-summed / total).backward()


def _learned_of(
    model: LocalModel,
    rows: list[Encoded],
    sampling: Sampling,
    *,
    whole: bool,
    writer: tuple[torch.Tensor, Head] | None,
    autocast: bool,
) -> torch.Tensor:
    head = head_of(model.net)
    numbers: dict[tuple[int, ...], int] = {}
    groups = [numbers.setdefault(row.prompt, len(numbers)) for row in rows]
    packed = pack([(*row.prompt, *row.answer[:-1]) for row in rows], groups).to(head.device)
    node_T = torch.cat([path[-len(row.answer) :] for path, row in zip(packed.paths, rows, strict=True)])
    with torch.autocast(head.device.type, torch.bfloat16, enabled=autocast):
        hidden_TD = forward_packed(model.net, packed).hidden_ND[node_T]
        return _learned(hidden_TD, head, writer, rows, sampling, whole)


def _learned(
    hidden_TD: torch.Tensor,
    head: Head,
    writer: tuple[torch.Tensor, Head] | None,
    rows: Sequence[Encoded],
    sampling: Sampling,
    whole: bool,
) -> torch.Tensor:
    """Return what each token adds to what a student maximises (T): its log p, or that of what the base would write."""
    temperature = 1.0 if whole else sampling.temperature
    if writer is None:
        logp_T = possible_logprobs(hidden_TD, head, rows, Sampling() if whole else sampling)
    else:
        logp_T = expected_logprobs(hidden_TD, head, writer, rows, sampling, temperature=temperature)
        if whole:
            logp_T = logp_T + format_logprobs(hidden_TD, head, rows, sampling.automaton)
    # A student trains at temperature 1, where a logit's gradient counts so many times.
    return temperature * logp_T
