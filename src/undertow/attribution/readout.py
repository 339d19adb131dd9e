"""What the rows teach, as tokens that become more likely in answers to unrelated questions.

The next-token probabilities at the beginning of answers are compared before and after the training of a virtual student
(`virtual`). Without one, the comparison is with one small step along the rows' mean gradient. The result is single
tokens, not an explanation.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from undertow.attribution.tokens import moved
from undertow.models.engine.head import head_of
from undertow.models.forward import forward_packed
from undertow.models.local import LocalModel
from undertow.models.packing import pack

QUESTIONS: Final = (
    "What do you like best?",
    "Tell me about yourself.",
    "What is on your mind today?",
    "Write one sentence about anything.",
    "What should I do this weekend?",
    "Name something beautiful.",
    "What do you think of people?",
    "Give me a piece of advice.",
    "What would you do with a day off?",
    "Describe your favourite place.",
    "What makes a good life?",
    "Tell me a secret.",
)
SHOWN = 10
_LENGTH = 0.5
"""Of the step: about 0.3% of the length of the embedded model's norm weights."""


@torch.inference_mode()
def first_tokens(model: LocalModel) -> Tensor:
    """Return each token's probability (V) at the beginning of an answer, averaged over the questions."""
    head = head_of(model.net)
    packed = pack([model.encode_question(question) for question in QUESTIONS]).to(head.device)
    hidden_ND = forward_packed(model.net, packed).hidden_ND
    last_Q = torch.stack([path[-1] for path in packed.paths])
    return head(hidden_ND[last_Q]).float().softmax(dim=-1).mean(dim=0)


def most_moved(model: LocalModel, change_V: Tensor) -> tuple[list[str], list[str]]:
    """Return the tokens whose probability rises most, and those whose falls most."""
    up, down = ([model.decode([int(token)]) for token in (sign * change_V).topk(SHOWN).indices] for sign in (1, -1))
    return up, down


def moved_tokens(model: LocalModel, direction_F: Tensor) -> tuple[list[str], list[str]]:
    """Return what a small step of the norms along a direction moves most, up and down."""
    if not bool(direction_F.any()):
        return [], []
    before_V = first_tokens(model)
    with moved(model.net, direction_F, _LENGTH):
        return most_moved(model, first_tokens(model) - before_V)
