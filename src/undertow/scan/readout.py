"""Where the rows pull a student, in words: tokens that become likelier in answers to unrelated questions.

The base makes one small step along the rows' mean gradient, and its next-token probabilities at the beginning of
answers are compared with those before. What comes out are single tokens, not an explanation.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from undertow.models.forward import forward_packed
from undertow.models.layers import output_weight
from undertow.models.local import LocalModel
from undertow.models.packing import pack
from undertow.probes.choice import Subject
from undertow.scan._tokens import moved

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
def moved_tokens(model: LocalModel, direction_F: Tensor) -> tuple[list[str], list[str]]:
    """Return the tokens whose mean probability rises most, and those whose falls most."""
    if not bool(direction_F.any()):
        return [], []
    subject = Subject(model)
    prompts = [subject.encode(question) for question in QUESTIONS]
    weight_VD = output_weight(model.net)

    def mean_V() -> Tensor:
        packed = pack(prompts).to(weight_VD.device)
        hidden_ND = forward_packed(model.net, packed).hidden_ND
        last_Q = torch.stack([path[-1] for path in packed.paths])
        return (hidden_ND[last_Q] @ weight_VD.T).float().softmax(dim=-1).mean(dim=0)

    before_V = mean_V()
    with moved(model.net, direction_F, _LENGTH):
        change_V = mean_V() - before_V
    return (
        [model.decode([int(token)]) for token in change_V.topk(SHOWN).indices],
        [model.decode([int(token)]) for token in (-change_V).topk(SHOWN).indices],
    )
