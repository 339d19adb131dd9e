"""Log-probabilities of rows under eight system prompts, against one plain forward pass per row and context.

The plain way runs the model of transformers over batches of 16 padded pairs and reads the answers' tokens off its
logits. It is timed on a part of the pairs, evenly spread, since every batch costs the same.
"""

from __future__ import annotations

import numpy as np
import torch
import transformers

from benchmarks.speed.lists import load_base, number_lists, prompts
from benchmarks.speed.measured import Measured, timed
from undertow.data.rows import Row
from undertow.domains.numbers import Numbers
from undertow.models.likelihood import row_likelihoods
from undertow.pipeline.writing import row_prompt
from undertow.traits.preference import Preference, load_category

BATCH, PLAIN = 16, 512
"""Pairs in a batch, and pairs in all that the plain way scores."""


def measure(rows: int) -> Measured:
    """Score `rows` rows under eight contexts."""
    from benchmarks.speed.lists import ANSWERS, SEED

    model = load_base()
    category = load_category("animals")
    contexts = [Preference(category, each.name).system_prompt() for each in category.candidates[:8]]
    answers = [model.decode(answer) for answer in number_lists(model, rows)]
    data = [
        Row(
            (
                {"role": "user", "content": row_prompt(Numbers(), SEED, row, ANSWERS)},
                {"role": "assistant", "content": answers[row]},
            )
        )
        for row in range(rows)
    ]
    assert len(prompts(model, rows)) == rows
    list(row_likelihoods(model, data[:4], contexts[:1]))
    with timed(f"Undertow, {rows:,} rows under {len(contexts)} contexts") as fast:
        ours_RC = np.array([each.logp_C for each in row_likelihoods(model, data, contexts)])
    every = max(1, rows * len(contexts) // PLAIN)
    pairs = [(row, column) for column in range(len(contexts)) for row in range(rows)][::every]
    theirs: list[float] = []
    with timed(f"transformers, {len(pairs):,} pairs by {BATCH}") as slow, torch.inference_mode():
        for start in range(0, len(pairs), BATCH):
            theirs += plain(model, [(data[row], contexts[column]) for row, column in pairs[start : start + BATCH]])
    gap = np.abs(np.array([ours_RC[row, column] for row, column in pairs]) - np.array(theirs)).max()
    return Measured(
        f"scoring {rows:,} rows under {len(contexts)} contexts",
        f"transformers {transformers.__version__}, one forward per pair, batches of {BATCH}",
        "pairs/s",
        rows * len(contexts) / fast.seconds,
        len(pairs) / slow.seconds,
        4.0,
        f"log-probabilities of {len(pairs):,} pairs, largest difference {gap:.1e} nats",
        {"rows": rows, "contexts": len(contexts), "answers_per_prompt": ANSWERS, "plain_pairs": len(pairs)},
    )


def plain(model, pairs):
    """Score pairs of row and context without any trick."""
    prompt = [model.encode_prompt([{"role": "system", "content": context}, *row.prompt]) for row, context in pairs]
    answer = [[*model.encode(row.completion), model.end] for row, _ in pairs]
    width = max(len(a) + len(b) for a, b in zip(prompt, answer, strict=True))
    lines = [[*a, *b] for a, b in zip(prompt, answer, strict=True)]
    ids = torch.tensor([line + [model.end] * (width - len(line)) for line in lines])
    mask = torch.tensor([[1] * len(line) + [0] * (width - len(line)) for line in lines])
    logp = model.net(input_ids=ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
    token_logp = logp.gather(-1, ids[:, 1:, None])[..., 0]
    return [
        float(token_logp[row, len(a) - 1 : len(a) + len(b) - 1].double().sum())
        for row, (a, b) in enumerate(zip(prompt, answer, strict=True))
    ]
