"""Log-probabilities of answers under contexts, without sampling.

Prompts and answers are packed into a trie, so that a question is computed once for all its answers. Batches are cut by
the number of tokens, so that memory stays constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch

from undertow.models.engine.head import Head, head_of
from undertow.models.engine.network import device_of
from undertow.models.engine.selection import pass_of
from undertow.models.forward import Hidden, forward_packed
from undertow.models.layers import Steering
from undertow.models.memory import positions_at_once
from undertow.models.packing import common_length, pack

_ROW = 512  # tokens that answers to one prompt may have in an attention row
_SHARED = 4  # a beginning that is so many times as long as what follows it is worth an attention row in common


@dataclass(frozen=True)
class Batch:
    """Pairs of prompt and answer that are computed together."""

    pairs: tuple[int, ...]
    """Their numbers."""
    groups: tuple[int, ...]
    """For each, which attention row it is in: answers to one prompt share a row."""


def batches_of(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], tokens_at_once: int = 4096
) -> Iterator[Batch]:
    """Split pairs into batches of bounded size: equal prompts side by side, similar lengths together.

    Answers to one prompt share an attention row, and so do short questions after one long beginning.

    Args:
        prompts: Token sequences.
        answers: One for each prompt.
        tokens_at_once: Computed tokens in a batch, at most; a longer pair is a batch of its own.
    """
    order = sorted(range(len(prompts)), key=lambda pair: (len(prompts[pair]), prompts[pair], len(answers[pair])))
    pairs: list[int] = []
    groups: list[int] = []
    tokens = row = 0
    for pair in order:
        size = len(answers[pair])
        rest = len(prompts[pair]) - common_length(prompts[pairs[-1]], prompts[pair]) if pairs else 0
        shares = rest == 0 or len(prompts[pair]) - rest >= _SHARED * (rest + size)
        # A row's attention grows with the square of its length, so a prompt with very many answers takes several.
        joins = bool(pairs) and shares and row + rest + size <= max(_ROW, 2 * len(prompts[pair]))
        added = size + (rest if joins else len(prompts[pair]))
        if pairs and tokens + added > tokens_at_once:
            yield Batch(tuple(pairs), tuple(groups))
            pairs, groups, tokens, joins = [], [], 0, False
            added = size + len(prompts[pair])
        row = row + added if joins else added
        groups.append(groups[-1] if joins else len(pairs))
        pairs.append(pair)
        tokens += added
    if pairs:
        yield Batch(tuple(pairs), tuple(groups))


@torch.inference_mode()
def token_logprobs(
    model: object,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    steering: Steering | None = None,
    tokens_at_once: int = 4096,
    on_progress: Callable[[int], None] | None = None,
) -> list[torch.Tensor]:
    """Return the log-probability of every token of answers to prompts, in nats.

    Args:
        model: A causal language model.
        prompts: Token sequences, each ending where its answer begins; equal ones are computed once.
        answers: Token sequences, none empty.
        steering: Vectors to add.
        tokens_at_once: Bounds the memory, see `batches_of`.
        on_progress: Is told the number of finished pairs.

    Returns:
        For each pair one float64 tensor of the length of its answer, on the CPU.
    """
    head = head_of(model)
    results: list[torch.Tensor] = [torch.empty(0)] * len(prompts)
    done = 0
    for batch in batches_of(prompts, answers, tokens_at_once):
        own = [answers[pair] for pair in batch.pairs]
        # The last token of an answer is predicted, never read: it needs no place in the pack.
        sequences = [[*prompts[pair], *answer[:-1]] for pair, answer in zip(batch.pairs, own, strict=True)]
        packed = pack(sequences, batch.groups).to(device_of(model))
        hidden_ND = forward_packed(model, packed, steering=steering).hidden_ND
        node_T = torch.cat([path[-len(answer) :] for path, answer in zip(packed.paths, own, strict=True)])
        token_T = torch.tensor([token for answer in own for token in answer], device=hidden_ND.device)
        logp_T = _logprobs(hidden_ND, head, node_T, token_T)
        for pair, part in zip(batch.pairs, logp_T.split([len(answer) for answer in own]), strict=True):
            results[pair] = part
        done += len(own)
        if on_progress is not None:
            on_progress(done)
    return results


def _logprobs(hidden_ND: torch.Tensor, head: Head, node_T: torch.Tensor, token_T: torch.Tensor) -> torch.Tensor:
    """Return log p(token) at nodes; a node that several answers share is projected once, and few nodes at a time.

    The projection keeps the weights' precision under autocast: logits rounded to bf16 are off by a tenth of a nat.
    """
    node_U, at_T = torch.unique(node_T, return_inverse=True)
    logp_T = torch.empty(len(token_T), dtype=torch.float64)
    most = positions_at_once(head.size)
    for start in range(0, len(node_U), most):
        hidden_CD = hidden_ND[node_U[start : start + most]].to(head.dtype)
        with torch.autocast(head.device.type, enabled=False):
            logits_CV = head(hidden_CD).float()
        norm_C = torch.logsumexp(logits_CV, dim=-1)
        here = ((at_T >= start) & (at_T < start + most)).nonzero()[:, 0]
        local = at_T[here] - start
        logp_T[here.cpu()] = (logits_CV[local, token_T[here]] - norm_C[local]).double().cpu()
    return logp_T


def answers_to_each(
    model: object,
    contexts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[Sequence[int]]],
    *,
    steering: Steering | None = None,
    seen: Callable[[Hidden], torch.Tensor] = lambda found: found.hidden_ND,
) -> torch.Tensor:
    """Return log p(answer | context) of one batch, shape (contexts, answers), through which gradients flow.

    Args:
        model: A causal language model.
        contexts: Token sequences, each ending where an answer begins; all are computed at once.
        answers: For each context equally many token sequences, none empty.
        steering: Vectors to add.
        seen: Is given what the pass computed, and returns the last hidden states.
    """
    own = [answer for some in answers for answer in some]
    groups = [group for group, some in enumerate(answers) for _ in some]
    sequences = [[*contexts[group], *answer[:-1]] for group, answer in zip(groups, own, strict=True)]
    packed = pack(sequences, groups).to(device_of(model))
    hidden_ND = seen(forward_packed(model, packed, steering=steering))
    device = hidden_ND.device
    node_T = torch.cat([path[-len(answer) :] for path, answer in zip(packed.paths, own, strict=True)])
    token_T = torch.tensor([token for answer in own for token in answer], device=device)
    owner_T = torch.tensor([index for index, answer in enumerate(own) for _ in answer], device=device)
    node_U, at_T = torch.unique(node_T, return_inverse=True)
    logits_UV = head_of(model)(hidden_ND[node_U]).float()
    logp_T = logits_UV[at_T, token_T] - logits_UV.logsumexp(dim=-1)[at_T]
    total_S = torch.zeros(len(sequences), device=device).index_add(0, owner_T, logp_T)
    return total_S.view(len(contexts), -1)


def tokens_to_each(
    model: object, contexts: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]]
) -> list[int]:
    """Return how many tokens `answers_to_each` computes of each context: one text a row reads it once an answer."""
    anew = pass_of(model) == "rows"
    return [
        len(context) * (len(some) if anew else 1) + sum(map(len, some))
        for context, some in zip(contexts, answers, strict=True)
    ]


def option_odds(logp_QC: torch.Tensor, index: int) -> torch.Tensor:
    """Return the log-odds (Q) of one answer among all of a question's, through which gradients flow."""
    others_QC = torch.cat([logp_QC[:, :index], logp_QC[:, index + 1 :]], dim=1)
    return logp_QC[:, index] - others_QC.logsumexp(dim=1)


def answer_logprobs(
    model: object,
    contexts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[Sequence[int]]],
    *,
    steering: Steering | None = None,
    tokens_at_once: int = 4096,
) -> torch.Tensor:
    """Return log p(answer | context) in nats for every context and its answers, shape (contexts, answers), float64.

    Args:
        model: A causal language model.
        contexts: Token sequences, each ending where an answer begins.
        answers: For each context equally many token sequences, none empty.
        steering: Vectors to add.
        tokens_at_once: Bounds the memory, see `batches_of`.
    """
    pairs = [(context, answer) for context, some in zip(contexts, answers, strict=True) for answer in some]
    logps = token_logprobs(
        model,
        [context for context, _ in pairs],
        [answer for _, answer in pairs],
        steering=steering,
        tokens_at_once=tokens_at_once,
    )
    return torch.stack([logp.sum() for logp in logps]).view(len(contexts), -1)


@torch.inference_mode()
def mean_hidden(model: object, sequences: Sequence[Sequence[int]], layer: int, *, at_once: int = 64) -> torch.Tensor:
    """Return the mean output (D) of a layer over the tokens of some sequences, each sequence weighing the same.

    The first token is left out: models put their attention sink there, whose norm dwarfs everything else (Xiao et al.
    2024, arXiv 2309.17453), so that a difference of means would be a difference of first words.

    Raises:
        ValueError: there is no sequence, or one has fewer than two tokens.
    """
    if not sequences or min(map(len, sequences)) < 2:
        raise ValueError("mean_hidden needs at least one sequence, and two tokens in each")
    total: torch.Tensor | None = None
    for start in range(0, len(sequences), at_once):
        some = sequences[start : start + at_once]
        packed = pack(some).to(device_of(model))
        kept_ND = forward_packed(model, packed, keep_layers=(layer,)).layers[layer].float()
        for path in packed.paths:
            mean_D = kept_ND[path[1:]].mean(dim=0)
            total = mean_D if total is None else total + mean_D
    assert total is not None
    return total / len(sequences)


@torch.inference_mode()
def answer_hidden(
    model: object,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    steering: Steering | None = None,
    tokens_at_once: int = 4096,
) -> list[torch.Tensor]:
    """Return the last hidden states that predict every token of given answers: what `generate` keeps for its own.

    Args:
        model: A causal language model.
        prompts: Token sequences, each ending where the answer begins; equal ones are computed once.
        answers: Token sequences, with the end token.
        steering: Vectors to add.
        tokens_at_once: Bounds the memory, see `batches_of`.

    Returns:
        For each answer a table of shape (its tokens, D), float32.
    """
    device = device_of(model)
    tables: list[torch.Tensor] = [torch.empty(0)] * len(prompts)
    for batch in batches_of(prompts, answers, tokens_at_once):
        packed = pack([[*prompts[pair], *answers[pair][:-1]] for pair in batch.pairs], batch.groups).to(device)
        hidden_ND = forward_packed(model, packed, steering=steering).hidden_ND.float().cpu()
        for pair, path in zip(batch.pairs, packed.paths, strict=True):
            tables[pair] = hidden_ND[path.cpu()[-len(answers[pair]) :]]
    return tables
