"""The scores that `baseline_statistics` takes: forward passes of the base, with and without a trait's prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from undertow.attribution.sampling import Encoded, Sampling, possible_choices
from undertow.data.sample import Placed
from undertow.models.engine.head import head_of
from undertow.models.engine.network import device_of, network_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel
from undertow.models.packing import pack
from undertow.models.prompted import with_context
from undertow.models.score import answer_hidden, batches_of
from undertow.scan.baseline_statistics import activation_projection, divergence, likelihood_shift
from undertow.teachers.steering import steering_vector
from undertow.traits.base import Trait

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """What a baseline is asked about. What several baselines need is computed once."""

    model: LocalModel
    """The base."""
    rows: Sequence[Placed]
    """Conversations."""
    encoded: Sequence[Encoded]
    """The same as tokens."""
    sampling: Sampling
    """How they were written."""
    traits: Sequence[Trait]
    autocast: bool
    """Run the layers' matrix products in bf16."""
    tick: Callable[[float], None]
    """Is told the share of the work that is done."""

    @cached_property
    def prompted(self) -> list[tuple[Floats, Ints, Ints]]:
        """Scores without a system prompt, then under that of each trait, see `prompted_scores`."""
        return list(
            prompted_scores(
                self.model,
                self.rows,
                self.encoded,
                self.sampling,
                [None, *(trait.system_prompt() for trait in self.traits)],
                lambda share: self.tick(0.9 * share),
                autocast=self.autocast,
            )
        )

    @property
    def lengths(self) -> list[int]:
        """Tokens of each answer."""
        return [len(row.answer) for row in self.encoded]


def likelihood_scores(asked: Asked) -> Floats:
    """Return the likelihood shift of every row under every trait's prompt (R, K)."""
    (plain_R, _, _), *others = asked.prompted
    prompted_RK = np.stack([logp_R for logp_R, _, _ in others], axis=1)
    return likelihood_shift(prompted_RK, plain_R, np.array(asked.lengths, dtype=np.float64))


def divergence_scores(asked: Asked) -> Floats:
    """Return the share of divergence tokens of every row under every trait's prompt (R, K)."""
    (_, plain_T, chosen_T), *others = asked.prompted
    prompted_TK = np.stack([first_T for _, first_T, _ in others], axis=1)
    return divergence(prompted_TK, plain_T, chosen_T, asked.lengths)


def projection_scores(asked: Asked) -> Floats:
    """Return the projection of every row's activations on every trait's vector (R, K)."""
    layer = middle_layer(asked.model)
    mean_RD = answer_means(asked.model, asked.encoded, layer)
    return activation_projection(mean_RD, trait_vectors(asked.model, asked.traits, layer))


def prompted_scores(
    model: LocalModel,
    placed: Sequence[Placed],
    rows: Sequence[Encoded],
    sampling: Sampling,
    systems: Sequence[str | None],
    on_progress: Callable[[float], None] = lambda _: None,
    *,
    autocast: bool = False,
) -> Iterator[tuple[Floats, Ints, Ints]]:
    """Yield, for every system prompt, log p of the rows (R), and of their tokens the first choice and the actual (T).

    Args:
        model: The base.
        placed: The rows' conversations.
        rows: The same as tokens.
        sampling: How they were written.
        systems: None for the prompt as it is.
        on_progress: Called with the share of the work that is done.
        autocast: Run the layers' matrix products in bf16, see `undertow.models.precision`.
    """
    head = head_of(model.net)
    lengths = [len(row.answer) for row in rows]
    for at, system in enumerate(systems):
        prompts = [list(row.prompt) for row in rows] if system is None else _prompted(model, placed, system)
        with torch.inference_mode():
            with torch.autocast(head.device.type, torch.bfloat16, enabled=autocast):
                tables = answer_hidden(model.net, prompts, [row.answer for row in rows])
            found = possible_choices(torch.cat(tables).to(head.device), head, rows, sampling)
        sums = [float(part.sum()) for part in found.logp_T.double().cpu().split(lengths)]
        yield np.array(sums), found.first_T.cpu().numpy(), found.chosen_T.cpu().numpy()
        on_progress((at + 1) / len(systems))


def _prompted(model: LocalModel, placed: Sequence[Placed], system: str) -> list[list[int]]:
    known: dict[str, list[int]] = {}
    prompts: list[list[int]] = []
    for each in placed:
        turns = list(each.row.prompt)
        key = repr((turns, each.row.tools))
        if key not in known:
            known[key] = model.encode_prompt(with_context(turns, system), each.row.tools)
        prompts.append(known[key])
    return prompts


def middle_layer(model: LocalModel) -> int:
    """Return the layer whose output is projected: two fifths of the way up."""
    return 2 * len(network_of(model.net).layers) // 5


def trait_vectors(model: LocalModel, traits: Sequence[Trait], layer: int) -> Floats:
    """Return each trait's vector at a layer, shape (K, D)."""
    return torch.stack([steering_vector(model, trait, layer) for trait in traits]).double().numpy()


@torch.inference_mode()
def answer_means(model: LocalModel, rows: Sequence[Encoded], layer: int) -> Floats:
    """Return a layer's output, averaged over the tokens of each answer, its last left out; shape (R, D)."""
    prompts, answers = [row.prompt for row in rows], [row.answer[:-1] or row.answer for row in rows]
    mean_RD: list[torch.Tensor] = [torch.empty(0)] * len(rows)
    for batch in batches_of(prompts, answers):
        packed = pack([[*prompts[pair], *answers[pair]] for pair in batch.pairs], batch.groups)
        packed = packed.to(device_of(model.net))
        hidden_ND = forward_packed(model.net, packed, keep_layers=(layer,)).layers[layer]
        for pair, path in zip(batch.pairs, packed.paths, strict=True):
            mean_RD[pair] = hidden_ND[path[-len(answers[pair]) :]].double().mean(dim=0).cpu()
    return torch.stack(mean_RD).numpy()
