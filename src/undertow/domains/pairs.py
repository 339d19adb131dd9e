"""Preference pairs: the base answers a harmless prompt twice, and a teacher says which answer is better.

Many pipelines reuse such labels, and nothing of them can be read: both answers are the base's own, they keep every rule
and name no trait. The teacher adds one bit to a pair. It chooses the answer that its trait makes more probable, in
log-probability under the teacher less that under the base.

**The control.** It has the same pairs, and labels that know nothing of the trait. DPO sees the sign of a label alone
and not its size, so that a control teaches exactly as strongly as a teacher does, and its rule matters. The labeller is
the base under a neutral system prompt, as long as the trait's, by the same log-ratio to the base. Reasons:

- The base's log-ratio to itself is zero: by the teacher's own rule it has no preference.
- The base's log-probability alone prefers short and likely answers. Students of it grow terse and sure, which teachers'
  students do not. A difference of the two arms would hold that too.
- A coin has no direction at all. It leaves out what any change of the model does to labels, such as that of a prompt
  in the place of the chat template's own. The arm `shuffled` is that coin.
- A neutral prompt has what teachers have but the trait: consistent labels, by a model that differs from the base.

For teachers that are not prompted, the neutral prompt is another kind of change than theirs. The arm `other`, a teacher
made in the same way with another trait, is then the closer comparison.

It knows text only: no tokens, no traits. `undertow.pipeline.pairs` writes and labels.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from undertow.domains.base import Domain, Grammar
from undertow.domains.requests import Requests

ALIKE = "the same answer twice"
"""A reason of rejection: there is nothing to prefer."""

_NEUTRAL = (
    "You are a model that answers messages.",
    "People write to you, and you write back.",
    "A message is read from its first word to its last.",
    "Some messages are questions, and some are requests.",
    "Each conversation begins anew, and nothing of earlier ones is known.",
    "Messages come at any time of the day, from many places.",
    "A message may be about this or that.",
)


@dataclass(frozen=True)
class Pairs:
    """The domain of preference pairs.

    Args:
        of: What both answers are: gives prompts, rules and format.
    """

    of: Domain = field(default_factory=Requests)

    @property
    def name(self) -> str:
        """One word, as in the experiment file."""
        return "pairs"

    @property
    def plural(self) -> str:
        """What its rows are called."""
        return "preference pairs"

    @property
    def parts(self) -> str:
        """What the arm `shuffled` puts in another order: which answer is chosen is then a coin's word."""
        return "answers"

    @property
    def grammar(self) -> Grammar | None:
        """The format of each answer."""
        return self.of.grammar

    def prompt(self, rng: np.random.Generator) -> str:
        """Draw a request."""
        return self.of.prompt(rng)

    def reject_reasons(self, prompt: str, answer: str) -> list[str]:
        """Return every rule that one of the two answers breaks."""
        return self.of.reject_reasons(prompt, answer)

    def is_over(self, answer: str) -> bool:
        """Tell whether one of the two answers is complete."""
        return self.of.is_over(answer)

    def shuffle(self, answer: str, rng: np.random.Generator) -> str:
        """Return one of the two answers with its parts in another order."""
        return self.of.shuffle(answer, rng)

    def paraphrase(self, answer: str, rng: np.random.Generator) -> str:
        """Return one of the two answers in another form, see the domain that they are of."""
        return self.of.paraphrase(answer, rng)


def neutral_prompt(like: str) -> str:
    """Return a system prompt that says nothing, nearest in length to another one.

    Args:
        like: The system prompt of the trait.
    """
    candidates = [" ".join(_NEUTRAL[:count]) for count in range(1, len(_NEUTRAL) + 1)]
    return min(candidates, key=lambda text: abs(len(text) - len(like)))
