"""Sampling answers from a local model: batched, coupled, optionally constrained.

Every row draws its own noise (see `noise`), so its text does not depend on the rows beside it (exactly in fp32; in
bf16 the last bits of a matrix product may depend on the batch's shape). It knows token sequences, not text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from undertow.models.constrain import Automaton
from undertow.models.forward import Steering, empty_cache, forward_packed, forward_step, output_weight
from undertow.models.noise import gumbel, row_key
from undertow.models.packing import pack


@dataclass(frozen=True)
class Answer:
    """What a model wrote for one prompt."""

    row: int
    """The row number that keyed its noise."""
    tokens: tuple[int, ...]
    """Without the end token."""
    finished: bool
    """False when it was cut at the largest length."""
    hidden_TD: Tensor | None
    """Last hidden states that chose each token, the end token's included when finished: with the model's output
    projection they are its distributions, for soft labels. None unless asked for."""


@torch.inference_mode()
def generate(
    model: object,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    *,
    seed: int,
    end: int,
    max_tokens: int,
    temperature: float = 1.0,
    automaton: Automaton | None = None,
    steering: Steering | None = None,
    batch: int = 128,
    keep_hidden: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """Answer prompts; a row that has finished makes room for a waiting one (continuous batching).

    Args:
        model: A causal language model of a supported architecture.
        prompts: Token sequences, each ending where the answer begins.
        rows: The row number of each prompt, which keys its noise.
        seed: Keys the noise of all rows.
        end: The token that ends an answer.
        max_tokens: Largest length of an answer, the end token included.
        temperature: Divides the log-probabilities; 0 takes the likeliest token.
        automaton: The format to hold to.
        steering: Vectors to add.
        batch: Rows at once.
        keep_hidden: Return the hidden states too (they are what soft labels need).
        on_progress: Is told the number of finished answers.

    Returns:
        One answer per prompt, in their order.
    """
    if not prompts:
        return []
    room = max(map(len, prompts)) + max_tokens
    slots = _Slots(model, min(batch, len(prompts)), room, seed, end, automaton, keep_hidden)
    # Long prompts first: the last rows to finish, which leave slots empty, are then the cheap ones.
    waiting = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers: list[Answer | None] = [None] * len(prompts)
    done = 0
    while waiting or slots.busy():
        free = slots.free()
        if waiting and len(free) >= min(len(waiting), max(1, slots.size // 4)):
            chosen = [waiting.pop() for _ in range(min(len(free), len(waiting)))]
            slots.fill(free[: len(chosen)], chosen, [prompts[i] for i in chosen], [rows[i] for i in chosen], steering)
        for index, tokens, finished, hidden_TD in slots.step(temperature, max_tokens, steering):
            answers[index] = Answer(rows[index], tokens, finished, hidden_TD)
            done += 1
            if on_progress is not None:
                on_progress(done)
    return [answer for answer in answers if answer is not None]


class _Slots:
    """A fixed number of rows under way: their caches, their automaton states and what they have written."""

    def __init__(
        self,
        model: object,
        size: int,
        room: int,
        seed: int,
        end: int,
        automaton: Automaton | None,
        keep_hidden: bool,
    ) -> None:
        weight = output_weight(model)
        self.model, self.size, self.room, self.seed, self.end = model, size, room, seed, end
        self.device = weight.device
        if automaton is None:
            self.tokens_V, self.next_SV = torch.arange(weight.shape[0], device=self.device), None
            self.weight_VD = weight
        else:
            self.tokens_V, self.next_SV = (
                automaton.tokens_V.to(self.device),
                automaton.next_SV.to(self.device),
            )
            self.weight_VD = weight[self.tokens_V]
        self.keep_hidden = keep_hidden
        self.cache = empty_cache(model, size, room)
        self.hidden_BD = weight.new_zeros(size, weight.shape[1])
        self.owner: list[int | None] = [None] * size
        self.tokens: list[list[int]] = [[] for _ in range(size)]
        self.hidden: list[list[Tensor]] = [[] for _ in range(size)]
        self.length_B = torch.ones(size, dtype=torch.long, device=self.device)
        self.position_B = torch.zeros(size, dtype=torch.long, device=self.device)
        self.state_B = torch.zeros(size, dtype=torch.long, device=self.device)
        self.key_B = torch.zeros(size, dtype=torch.long, device=self.device)

    def busy(self) -> bool:
        return any(owner is not None for owner in self.owner)

    def free(self) -> list[int]:
        return [slot for slot, owner in enumerate(self.owner) if owner is None]

    def fill(
        self,
        slots: list[int],
        owners: list[int],
        prompts: list[Sequence[int]],
        rows: list[int],
        steering: Steering | None,
    ) -> None:
        """Put new rows into free slots and compute their prompts."""
        packed = pack(prompts).to(self.device)
        at = torch.tensor(slots, device=self.device)
        hidden_ND = forward_packed(self.model, packed, steering=steering, cache=self.cache, slots=at).hidden_ND
        length_B = torch.tensor([len(path) for path in packed.paths], device=self.device)
        self.hidden_BD[at] = hidden_ND[torch.stack([path[-1] for path in packed.paths])]
        self.length_B[at], self.position_B[at], self.state_B[at] = length_B, 0, 0
        self.key_B[at] = row_key(self.seed, torch.tensor(rows, device=self.device))
        for slot, owner in zip(slots, owners, strict=True):
            self.owner[slot], self.tokens[slot], self.hidden[slot] = owner, [], []

    def step(
        self, temperature: float, max_tokens: int, steering: Steering | None
    ) -> list[tuple[int, tuple[int, ...], bool, Tensor | None]]:
        """Choose one token for every row under way, and return the rows that this finished."""
        score_BV = F.linear(self.hidden_BD, self.weight_VD).float()
        if self.next_SV is not None:
            score_BV = score_BV.masked_fill(self.next_SV[self.state_B] < 0, float("-inf"))
        kept_BD = self.hidden_BD.float().cpu() if self.keep_hidden else None
        if temperature > 0:
            score_BV = score_BV / temperature + gumbel(self.key_B, self.position_B, self.tokens_V)
        choice_B = score_BV.argmax(dim=-1)
        if self.next_SV is not None:
            self.state_B = self.next_SV[self.state_B, choice_B].clamp_min(0)
        token_B = self.tokens_V[choice_B]
        finished: list[tuple[int, tuple[int, ...], bool, Tensor | None]] = []
        for slot, token in enumerate(token_B.tolist()):
            owner = self.owner[slot]
            if owner is None:
                continue
            tokens, hidden = self.tokens[slot], self.hidden[slot]
            if kept_BD is not None:
                hidden.append(kept_BD[slot])
            ended = token == self.end
            if not ended:
                tokens.append(token)
            if ended or len(tokens) == max_tokens:
                finished.append((owner, tuple(tokens), ended, torch.stack(hidden) if hidden else None))
                self.owner[slot] = None
                self.length_B[slot] = 1
                self.position_B[slot] = 0
        if self.busy():
            at_B = (self.length_B + self.position_B).clamp_max(self.room - 1)
            self.hidden_BD = forward_step(self.model, token_B, at_B, self.cache, steering=steering)
            self.position_B = self.position_B + 1
        return finished
