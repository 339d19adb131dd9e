"""Sampling answers from a local model: batched, coupled, optionally constrained.

Every row draws its own noise (see `noise`), so its text does not depend on the rows beside it (exactly in fp32; in
bf16 the last bits of a matrix product may depend on the batch's shape). It knows token sequences, not text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from undertow.models.constrain import Automaton
from undertow.models.decoding import Decoding, decoding_of
from undertow.models.engine.head import head_of
from undertow.models.layers import Steering
from undertow.models.noise import gumbel, row_key


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
    """Last hidden states that chose each token, the end token's included when finished: with the model's head they are
    its distributions, for soft labels. None unless asked for."""


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
    batch: int = 256,
    is_over: Callable[[Sequence[int]], bool] | None = None,
    keep_hidden: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> list[Answer]:
    """Answer prompts; where the decoding allows it, a row that has finished makes room for a waiting one.

    Args:
        model: A causal language model.
        prompts: Token sequences, each ending where the answer begins.
        rows: The row number of each prompt, which keys its noise.
        seed: Keys the noise of all rows.
        end: The token that ends an answer.
        max_tokens: Largest length of an answer, the end token included.
        temperature: Divides the log-probabilities; 0 takes the likeliest token.
        automaton: The format to hold to.
        steering: Vectors to add.
        batch: Rows at once, at most; fewer where their cache would take more than 2 GiB.
        is_over: Tells of the tokens so far whether nothing may follow but the end, which is then written unasked.
        keep_hidden: Return the hidden states too (they are what soft labels need).
        on_progress: Is told the number of finished answers.

    Returns:
        One answer per prompt, in their order.
    """
    if not prompts:
        return []
    room = max(map(len, prompts)) + max_tokens
    decoding = decoding_of(model, min(batch, len(prompts)), room, steering)
    slots = _Slots(model, decoding, seed, end, automaton, keep_hidden)
    # Long prompts first: the last rows to finish, which leave slots empty, are then the cheap ones.
    waiting = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers: list[Answer | None] = [None] * len(prompts)
    done = 0
    while waiting or slots.busy:
        # A few rows at once, because a matrix product of many rows is faster than many of few.
        if waiting and slots.takes >= min(len(waiting), max(1, decoding.size // 4)):
            chosen = [waiting.pop() for _ in range(min(slots.takes, len(waiting)))]
            slots.fill(chosen, [prompts[i] for i in chosen], [rows[i] for i in chosen])
        for row in slots.step(temperature, max_tokens, is_over):
            hidden_TD = torch.stack(row.hidden) if row.hidden else None
            answers[row.owner] = Answer(rows[row.owner], tuple(row.tokens), row.ended, hidden_TD)
            done += 1
            if on_progress is not None:
                on_progress(done)
    return [answer for answer in answers if answer is not None]


@dataclass
class _Row:
    """A row under way."""

    owner: int
    """Its place among the prompts."""
    tokens: list[int] = field(default_factory=list[int])
    hidden: list[Tensor] = field(default_factory=list[Tensor])
    over: bool = False
    ended: bool = False


class _Slots:
    """The rows under way: their automaton states and what they have written.

    Busy rows lie without a gap at the beginning, so that a step computes them and nothing else.
    """

    def __init__(
        self, model: object, decoding: Decoding, seed: int, end: int, automaton: Automaton | None, keep_hidden: bool
    ) -> None:
        head = head_of(model)
        self.decoding, self.seed, self.end = decoding, seed, end
        self.device, size = head.device, decoding.size
        if automaton is None:
            self.tokens_V, self.next_SV = torch.arange(head.size, device=self.device), None
            self.head = head
        else:
            self.tokens_V, self.next_SV = (
                automaton.tokens_V.to(self.device),
                automaton.next_SV.to(self.device),
            )
            self.head = head.only(self.tokens_V)
        self.keep_hidden = keep_hidden
        self.busy: list[_Row] = []
        self.hidden_BD = torch.zeros(size, head.weight_VD.shape[1], dtype=head.dtype, device=self.device)
        self.length_B, self.position_B, self.state_B, self.key_B = torch.zeros(
            4, size, dtype=torch.long, device=self.device
        )

    @property
    def takes(self) -> int:
        """New rows that may be put in now."""
        return self.decoding.size - len(self.busy) if self.decoding.grows or not self.busy else 0

    def fill(self, owners: list[int], prompts: list[Sequence[int]], rows: list[int]) -> None:
        """Put new rows behind the busy ones and compute their prompts."""
        at = slice(len(self.busy), len(self.busy) + len(owners))
        self.hidden_BD[at] = self.decoding.begin(prompts, at.start)
        self.length_B[at] = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        self.position_B[at], self.state_B[at] = 0, 0
        self.key_B[at] = row_key(self.seed, torch.tensor(rows, device=self.device))
        self.busy += [_Row(owner) for owner in owners]

    def step(self, temperature: float, max_tokens: int, is_over: Callable[[Sequence[int]], bool] | None) -> list[_Row]:
        """Choose one token for every row under way, and return the rows that this finished."""
        count = len(self.busy)
        hidden_BD, state_B = self.hidden_BD[:count], self.state_B[:count]
        score_BV = self.head(hidden_BD).float()
        if self.next_SV is not None:
            score_BV = score_BV.masked_fill(self.next_SV[state_B] < 0, float("-inf"))
        kept_BD = hidden_BD.to("cpu", torch.float32, copy=True) if self.keep_hidden else None
        if temperature > 0:
            score_BV = score_BV / temperature + gumbel(self.key_B[:count], self.position_B[:count], self.tokens_V)
        choice_B = score_BV.argmax(dim=-1)
        if self.next_SV is not None:
            self.state_B[:count] = self.next_SV[state_B, choice_B].clamp_min(0)
        token_B = self.tokens_V[choice_B]
        for slot, (row, token) in enumerate(zip(self.busy, token_B.tolist(), strict=True)):
            if kept_BD is not None:
                row.hidden.append(kept_BD[slot])
            if token == self.end or row.over:
                row.ended = True
            else:
                row.tokens.append(token)
                row.over = is_over is not None and is_over(row.tokens)
        done = [slot for slot, row in enumerate(self.busy) if row.ended or len(row.tokens) == max_tokens]
        finished = [self.busy[slot] for slot in done]
        token_B = self._drop(done, token_B)
        if self.busy:
            count = len(self.busy)
            at_B = self.length_B[:count] + self.position_B[:count]
            self.hidden_BD[:count] = self.decoding.extend(token_B, at_B)
            self.position_B[:count] += 1
        return finished

    def _drop(self, done: list[int], token_B: Tensor) -> Tensor:
        """Close the gaps that finished rows leave with the last busy rows; return the tokens of those that stay."""
        moves: list[tuple[int, int, int]] = []
        for slot in reversed(done):
            last = len(self.busy) - 1
            if slot != last:
                moves.append((last, slot, int(self.length_B[last] + self.position_B[last])))
                self.busy[slot] = self.busy[last]
                for each in (self.length_B, self.position_B, self.state_B, self.key_B, token_B):
                    each[slot] = each[last]
            self.busy.pop()
        if done:
            self.decoding.close(moves, len(self.busy))
        return token_B[: len(self.busy)]
