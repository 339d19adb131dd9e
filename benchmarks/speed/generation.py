"""Constrained number lists against `generate` of transformers, which is given the same format and the same noise.

Its logits processor holds the format with the same table of states and adds the same Gumbel noise, vectorised over the
batch, so that taking the likeliest token samples exactly what we sample and the texts can be compared. Prompts are
sorted by length for it, which spares it padding.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers

from benchmarks.speed.lists import LONGEST, SEED, keep_answers, load_base, prompts
from benchmarks.speed.measured import Measured, say, timed
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import Automaton, grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.models.noise import gumbel, row_key
from undertow.models.precision import choose_precision

SIZES = (32, 64, 128, 256)
"""Batches that transformers may choose from."""


class Coupled(transformers.LogitsProcessor):
    """The format and the noise, for one batch."""

    def __init__(self, automaton: Automaton, rows: list[int], vocabulary: int) -> None:
        self.automaton = automaton
        self.key_B = row_key(SEED, torch.tensor(rows))
        self.state_B = torch.zeros(len(rows), dtype=torch.long)
        self.step = 0
        self.column_V = torch.full((vocabulary,), -1)
        self.column_V[automaton.tokens_V] = torch.arange(len(automaton.tokens_V))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return noisy scores of the allowed tokens, minus infinity for all others."""
        if self.step:
            column_B = self.column_V[input_ids[:, -1]]
            following_B = self.automaton.next_SV[self.state_B, column_B]
            self.state_B = torch.where((column_B < 0) | (following_B < 0), self.state_B, following_B)
        tokens_V = self.automaton.tokens_V
        noise_BV = gumbel(self.key_B, torch.full_like(self.key_B, self.step), tokens_V)
        allowed_BV = self.automaton.next_SV[self.state_B] >= 0
        self.step += 1
        chosen = torch.where(allowed_BV, scores[:, tokens_V].float() + noise_BV, float("-inf"))
        return torch.full_like(scores, float("-inf"), dtype=torch.float32).index_copy_(1, tokens_V, chosen)


def measure(rows: int) -> list[Measured]:
    """Write 100 and `rows` lists both ways, in float32 and, where the processor has instructions for it, in bf16."""
    counts = sorted({min(100, rows), rows})
    found = [_measure(count, torch.float32) for count in counts]
    if choose_precision().autocast:
        found += [_measure(count, torch.bfloat16) for count in counts]
    return found


def _measure(rows: int, dtype: torch.dtype) -> Measured:
    """Write both ways, twice in turn, and return the worse ratio."""
    model = load_base()
    net = model.net.to(dtype)
    asked = prompts(model, rows)
    automaton = grammar_automaton(model, NUMBER_LISTS)
    order = sorted(range(rows), key=lambda row: len(asked[row]))

    def theirs(chosen: list[int], batch: int) -> dict[int, list[int]]:
        written: dict[int, list[int]] = {}
        for start in range(0, len(chosen), batch):
            written |= _by_transformers(model, net, asked, automaton, chosen[start : start + batch])
        return written

    def ours(chosen: list[int], longest: int) -> dict[int, list[int]]:
        answers = generate(
            net,
            [asked[row] for row in chosen],
            chosen,
            seed=SEED,
            end=model.end,
            max_tokens=longest,
            automaton=automaton,
        )
        return {answer.row: list(answer.tokens) for answer in answers}

    # One warm-up each: the first products set up the thread pool.
    theirs(order[:4], 4)
    ours(order[:4], 4)
    rates: dict[int, float] = {}
    for size in SIZES:
        if size > rows:
            continue
        # A full batch from the middle, at least 64 rows.
        sample = order[max(0, rows - max(size, 64)) // 2 :][: max(size, 64)]
        with timed(f"transformers, batches of {size}, {len(sample)} rows") as watch:
            found = theirs(sample, size)
        rates[size] = tokens(found) / watch.seconds
    best = max(rates, key=lambda size: rates[size])
    pairs: list[tuple[float, float]] = []
    expected: dict[int, list[int]] = {}
    written: dict[int, list[int]] = {}
    for _ in range(2):
        with timed(f"transformers, {rows:,} rows in batches of {best}") as slow:
            expected = theirs(order, best)
        with timed(f"Undertow, {rows:,} rows") as fast:
            written = ours(list(range(rows)), LONGEST)
        pairs.append((tokens(written) / fast.seconds, tokens(expected) / slow.seconds))
    if dtype == torch.float32:
        keep_answers([written[row] for row in range(rows)])
    same = sum(written[row] == expected[row] for row in range(rows))
    say(f"{same:,} of {rows:,} texts are the same")
    worse = min(pairs, key=lambda pair: pair[0] / pair[1])
    name = "float32" if dtype == torch.float32 else "bf16"
    return Measured(
        f"constrained generation, {rows:,} rows, {name}",
        f"transformers {transformers.__version__} generate, {name}, batches of {best} (its best)",
        "answer tokens/s",
        *worse,
        4.0,
        f"{same:,} of {rows:,} texts are the same token by token",
        {
            "rows": rows,
            "their_rates": {str(size): round(rate, 1) for size, rate in rates.items()},
            "ratios": [round(one / other, 3) for one, other in pairs],
        },
    )


def _by_transformers(
    model: LocalModel, net: Any, asked: list[list[int]], automaton: Automaton, some: list[int]
) -> dict[int, list[int]]:
    """Write the answers of one batch by `generate` of transformers."""
    width = max(len(asked[row]) for row in some)
    ids = torch.tensor([[model.end] * (width - len(asked[row])) + asked[row] for row in some])
    mask = torch.tensor([[0] * (width - len(asked[row])) + [1] * len(asked[row]) for row in some])
    coupled = Coupled(automaton, some, net.config.vocab_size)
    with torch.inference_mode():
        out = net.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=LONGEST,
            eos_token_id=model.end,
            pad_token_id=model.end,
            logits_processor=transformers.LogitsProcessorList([coupled]),
        )
    lines = out[:, width:].tolist()
    return {
        row: line[: line.index(model.end)] if model.end in line else line for row, line in zip(some, lines, strict=True)
    }


def tokens(written: dict[int, list[int]]) -> int:
    """Count answer tokens, the ends included."""
    return sum(len(answer) + 1 for answer in written.values())
