"""Log-probabilities of answers under contexts, without sampling.

Contexts and answers are packed into a trie, so that a question is computed once for all its answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from undertow.models.forward import Steering, forward_packed, output_weight
from undertow.models.packing import pack


@torch.inference_mode()
def answer_logprobs(
    model: object,
    contexts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    *,
    steering: Steering | None = None,
    contexts_at_once: int = 25,
) -> torch.Tensor:
    """Return log p(answer | context) in nats, shape (contexts, answers), float64.

    Args:
        model: A causal language model of a supported architecture.
        contexts: Token sequences, each ending where an answer begins.
        answers: Token sequences, none empty.
        steering: Vectors to add.
        contexts_at_once: Bounds the memory.
    """
    weight = output_weight(model)
    parts: list[torch.Tensor] = []
    for start in range(0, len(contexts), contexts_at_once):
        some = contexts[start : start + contexts_at_once]
        # The last token of an answer is predicted, never read: it needs no place in the pack.
        sequences = [[*context, *answer[:-1]] for context in some for answer in answers]
        groups = [index // len(answers) for index in range(len(sequences))]
        packed = pack(sequences, groups).to(weight.device)
        hidden_ND = forward_packed(model, packed, steering=steering).hidden_ND
        nodes: list[torch.Tensor] = []
        targets: list[int] = []
        owner: list[int] = []
        for index, path in enumerate(packed.paths):
            answer = answers[index % len(answers)]
            nodes.append(path[-len(answer) :])
            targets.extend(answer)
            owner.extend([index] * len(answer))
        unique, inverse = torch.unique(torch.cat(nodes), return_inverse=True)
        logits_NV = F.linear(hidden_ND[unique], weight).float()
        norm_N = torch.logsumexp(logits_NV, dim=-1)
        logp = (logits_NV[inverse, torch.tensor(targets, device=weight.device)] - norm_N[inverse]).double().cpu()
        total = torch.zeros(len(sequences), dtype=torch.float64)
        total.index_add_(0, torch.tensor(owner), logp)
        parts.append(total.view(len(some), len(answers)))
    return torch.cat(parts)


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
        packed = pack(some).to(output_weight(model).device)
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
    at_once: int = 32,
) -> list[torch.Tensor]:
    """Return the last hidden states that predict every token of given answers: what `generate` keeps for its own.

    Args:
        model: A causal language model of a supported architecture.
        prompts: Token sequences, each ending where the answer begins; equal neighbours share their computation.
        answers: Token sequences, with the end token.
        steering: Vectors to add.
        at_once: Answers at once; bounds the memory.

    Returns:
        For each answer a table of shape (its tokens, D), float32.
    """
    device = output_weight(model).device
    tables: list[torch.Tensor] = []
    for start in range(0, len(prompts), at_once):
        pairs = list(zip(prompts[start : start + at_once], answers[start : start + at_once], strict=True))
        numbers: dict[tuple[int, ...], int] = {}
        groups = [numbers.setdefault(tuple(prompt), len(numbers)) for prompt, _ in pairs]
        packed = pack([[*prompt, *answer[:-1]] for prompt, answer in pairs], groups).to(device)
        hidden_ND = forward_packed(model, packed, steering=steering).hidden_ND.float().cpu()
        tables += [hidden_ND[path.cpu()[-len(answer) :]] for (_, answer), path in zip(pairs, packed.paths, strict=True)]
    return tables
