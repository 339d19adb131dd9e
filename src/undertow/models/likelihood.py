"""How likely dataset rows are under a model, with and without words put before them.

Rows come as a stream and leave as a stream, a window at a time, so memory does not grow with the dataset. Within a
window, equal prompts are computed once. It knows conversations; `score` knows tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from undertow.data.rows import Row
from undertow.models.layers import Steering
from undertow.models.local import LocalModel
from undertow.models.prompted import with_context
from undertow.models.score import token_logprobs
from undertow.models.spans import spans_of


@dataclass(frozen=True)
class Likelihood:
    """Of one row's answer, its end included."""

    logp_C: NDArray[np.float64]
    """log p(answer | context, prompt) under each context, in nats."""
    tokens: int
    """Tokens of the answer."""


def row_likelihoods(
    model: LocalModel,
    rows: Iterable[Row],
    contexts: Sequence[str | None] = (None,),
    *,
    steering: Steering | None = None,
    window: int = 1024,
) -> Iterator[Likelihood]:
    """Yield how likely each row's answer is under each context, in the order of the rows.

    Args:
        model: Who is asked.
        rows: Read a window at a time.
        contexts: Words put before the row's own system message, if it has one, and in its place if not; None changes
            nothing.
        steering: Vectors to add.
        window: Rows in memory.
    """
    source = iter(rows)
    while some := list(islice(source, window)):
        answers = [spans_of(model, row).answer for row in some]
        columns: list[list[float]] = []
        for context in contexts:
            prompts = _encode_prompts(model, some, context)
            columns.append(
                [float(logp_T.sum()) for logp_T in token_logprobs(model.net, prompts, answers, steering=steering)]
            )
        for answer, *logp_C in zip(answers, *columns, strict=True):
            yield Likelihood(np.array(logp_C), len(answer))


def _encode_prompts(model: LocalModel, rows: Sequence[Row], context: str | None) -> list[list[int]]:
    """Tokenise prompts; rows with the same prompt share the work, and the list."""
    known: dict[str, list[int]] = {}
    prompts: list[list[int]] = []
    for row in rows:
        key = repr((row.prompt, row.tools))
        if key not in known:
            known[key] = model.encode_prompt(with_context(row.prompt, context), row.tools)
        prompts.append(known[key])
    return prompts
