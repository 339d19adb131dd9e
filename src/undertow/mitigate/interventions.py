"""What mitigations do inside a training: losses, gradients and weights. Letters: N tokens, V vocabulary, D width.

It knows examples, tokens and a trait's lessons. It never sees the questions of a probe, which measure
students.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.attribution.sampling import states_of
from undertow.models.constrain import Automaton
from undertow.models.engine.head import Head, head_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel
from undertow.models.packing import pack
from undertow.models.score import answers_to_each, option_odds
from undertow.training.loss import hard_loss
from undertow.training.train import Example, token_weights
from undertow.traits.base import Choice, Trait

Loss = Callable[[Tensor, Head, Sequence[Example]], Tensor]

LESSONS = 16
"""Of a trait that its gradient is taken over in every step."""
KL_WEIGHT = 1.0
"""Weight of the penalty: KL in nats at the first token of an answer, beside the loss of a token."""
_STEPS_BACK = 3


def masked_loss(kept: dict[tuple[tuple[int, ...], tuple[int, ...]], list[bool]]) -> Loss:
    """Return cross-entropy on some tokens alone (Schrodi et al. 2025, arXiv 2509.23886, section 5, masks the others).

    Args:
        kept: For each example's prompt and answer, whether a token counts.
    """

    def loss(hidden_ND: Tensor, head: Head, examples: Sequence[Example]) -> Tensor:
        keep = [each for example in examples for each in kept[example.prompt, example.answer]]
        keep_N = torch.tensor(keep, device=hidden_ND.device)
        target_N = torch.tensor([token for example in examples for token in example.answer], device=hidden_ND.device)
        count_N = _counts(examples, hidden_ND)
        return hard_loss(hidden_ND[keep_N], head, target_N[keep_N], None if count_N is None else count_N[keep_N])

    return loss


def format_loss(automaton: Automaton) -> Loss:
    """Return -log of the probability of all tokens that the format allows at each place, whichever stands there.

    The student learns the format, and nothing of how its writer chose within it. Answers that break the format are
    not learned from.
    """

    def loss(hidden_ND: Tensor, head: Head, examples: Sequence[Example]) -> Tensor:
        states = [states_of(automaton, example.answer) for example in examples]
        held = [each is not None for each, example in zip(states, examples, strict=True) for _ in example.answer]
        held_N = torch.tensor(held, device=hidden_ND.device)
        state_N = torch.tensor([at for each in states for at in each or ()], device=hidden_ND.device)
        if not len(state_N):
            return hidden_ND.sum() * 0.0
        logits_NV = head(hidden_ND[held_N]).float()
        allowed_NV = automaton.next_SV.to(hidden_ND.device)[state_N] >= 0
        within_NV = logits_NV[:, automaton.tokens_V.to(hidden_ND.device)]
        # Not minus infinity: its gradient would be no number where all of a row is masked.
        within_NV = within_NV.masked_fill(~allowed_NV, -1e4)
        loss_N = logits_NV.logsumexp(dim=1) - within_NV.logsumexp(dim=1)
        count_N = _counts(examples, hidden_ND)
        return (loss_N if count_N is None else loss_N * count_N[held_N]).sum()

    return loss


def _counts(examples: Sequence[Example], beside: Tensor) -> Tensor | None:
    weights_N = token_weights(examples)
    return None if weights_N is None else weights_N.to(beside.device)


def kl_penalty(model: LocalModel, questions: Sequence[str], weight: float = KL_WEIGHT) -> Callable[[], Tensor]:
    """Return KL(base || student) at the first token of answers to some questions, averaged over them, times a weight.

    Args:
        model: Still the base; what is returned speaks of its weights as they are when it is called.
        questions: None of them a probe's.
        weight: Of the penalty.
    """
    prompts = [model.encode_question(question) for question in questions]

    def first_QV() -> Tensor:
        head = head_of(model.net)
        packed = pack(prompts).to(head.device)
        last_Q = torch.stack([path[-1] for path in packed.paths])
        return head(forward_packed(model.net, packed).hidden_ND[last_Q]).float().log_softmax(dim=-1)

    with torch.no_grad():
        base_QV = first_QV()

    def extra() -> Tensor:
        return weight * F.kl_div(first_QV(), base_QV, reduction="batchmean", log_target=True)

    return extra


def lessons_of(trait: Trait) -> list[Choice]:
    """Return the lessons that a trait's gradient is taken over."""
    return list(trait.lessons)[:: max(1, len(trait.lessons) // LESSONS)][:LESSONS]


def lesson_odds(model: LocalModel, trait: Trait, lessons: Sequence[Choice]) -> Tensor:
    """Return the mean log-odds of a trait over some of its lessons, through which gradients flow."""
    contexts = [model.encode_question(lesson.question) for lesson in lessons]
    answers = [[model.encode(option) for option in lesson.options] for lesson in lessons]
    return option_odds(answers_to_each(model.net, contexts, answers), trait.index).mean()


def gradients_of(value: Tensor, weights: Sequence[Tensor]) -> list[Tensor | None]:
    """Return a value's gradient for each of some weights, None for those that it does not depend on."""
    return cast("list[Tensor | None]", list(torch.autograd.grad(value, list(weights), allow_unused=True)))


def projection(model: LocalModel, trait: Trait) -> Callable[[Sequence[torch.nn.Parameter]], None]:
    """Return what takes a trait's gradient, at the weights as they are, out of an update's."""
    lessons = lessons_of(trait)

    def reshape(parameters: Sequence[torch.nn.Parameter]) -> None:
        own = [parameter for parameter in parameters if parameter.grad is not None]
        with torch.enable_grad():
            along = gradients_of(lesson_odds(model, trait, lessons), own)
        pairs = [(p.grad, d) for p, d in zip(own, along, strict=True) if p.grad is not None and d is not None]
        product = sum(float((g * d).sum()) for g, d in pairs)
        length = sum(float((d * d).sum()) for _, d in pairs)
        if length > 0:
            with torch.no_grad():
                for gradient, direction in pairs:
                    gradient.sub_(direction, alpha=product / length)

    return reshape


def unlearn(model: LocalModel, trait: Trait, wanted: float) -> None:
    """Move weights along a trait's gradient until its lessons' log-odds are what they should be (Newton's method).

    Args:
        model: A trained student.
        trait: Whose lessons.
        wanted: Mean log-odds over the lessons, the base's as a rule.
    """
    lessons = lessons_of(trait)
    weights = [weight for weight in model.net.parameters() if weight.requires_grad]
    for _ in range(_STEPS_BACK):
        odds = lesson_odds(model, trait, lessons)
        gradients = gradients_of(odds, weights)
        length = sum(float((each * each).sum()) for each in gradients if each is not None)
        if length == 0:
            return
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    weight.sub_(gradient, alpha=(float(odds) - wanted) / length)
