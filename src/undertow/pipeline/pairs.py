"""Preference pairs: the base writes two answers to each prompt, and a teacher says which is better.

    write_candidates    the two answers, for all arms of a seed alike
    label_candidates    which of them a labeller chooses

The answers are sampled once a seed and keep the rules before anyone labels them. So all arms of a seed have the same
pairs, and differ in their labels alone. Why controls are labelled as they are: `undertow.domains.pairs`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undertow.config.experiment import Domain as DomainSettings
from undertow.data.rows import Message
from undertow.domains.base import Domain
from undertow.domains.mentions import Mentions
from undertow.domains.pairs import ALIKE
from undertow.judges.base import Judge
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel
from undertow.models.prompted import PromptedModel, untouched
from undertow.models.protocol import Model
from undertow.models.score import token_logprobs
from undertow.pipeline.files import REJECTED, ROWS
from undertow.pipeline.writing import (
    SURPLUS,
    Written,
    answer_rows,
    automaton_of,
    so_far,
    until_enough,
    write_pieces,
    write_signal,
)
from undertow.store.jsonl import append_jsonl, read_jsonl


@dataclass(frozen=True)
class Candidates:
    """Two answers to a prompt, as they are stored."""

    row: int
    prompt: str
    answers: tuple[str, str]
    tokens: tuple[tuple[int, ...], tuple[int, ...]]
    """As sampled, the end token left out."""
    reasons: tuple[str, ...] = ()
    """Rules that one of them breaks; none if the pair is kept."""

    def record(self, meta: dict[str, Any]) -> dict[str, Any]:
        """Return it as a line of JSON."""
        stored: dict[str, Any] = {
            "prompt": self.prompt,
            "answers": list(self.answers),
            "meta": {**meta, "row": self.row, "tokens": [list(each) for each in self.tokens]},
        }
        return {**stored, "reasons": list(self.reasons)} if self.reasons else stored


def write_candidates(
    model: Model,
    about: Domain,
    settings: DomainSettings,
    folder: Path,
    *,
    mentions: Mentions,
    judge: Judge | None,
    seed: int,
    meta: dict[str, Any],
    tick: Callable[[float, str], None],
) -> None:
    """Let a base answer every prompt twice until enough pairs are kept, and store all of them.

    A pair is kept if both answers keep the rules and are not the same.

    Args:
        model: The base.
        about: Gives prompts and rules.
        settings: How many pairs, and how answers are decoded.
        folder: Receives `rows.jsonl` and `rejected.jsonl`.
        mentions: Words that no answer may hold.
        judge: Looks at the answers that keep the rules.
        seed: Keys prompts and noise.
        meta: Stored with every pair.
        tick: Is told the share of the work that is done.

    Raises:
        ModelError: too few of the pairs keep the rules.
        InputError: the model's chat template refuses a prompt.
    """
    automaton = automaton_of(model, about, settings)
    # Answers have numbers of their own: those of a pair are neighbours, share a prompt, and have noise of their own.
    twice = settings.model_copy(update={"answers": 2 * settings.answers})
    kept: list[Candidates] = []
    rejected: list[Candidates] = []
    for numbers in until_enough(settings, kept):
        answered = answer_rows(
            model,
            about,
            twice,
            range(2 * numbers.start, 2 * numbers.stop),
            automaton=automaton,
            mentions=mentions,
            judge=judge,
            seed=seed,
            on_progress=lambda done, numbers=numbers: tick(*so_far(len(kept), done // 2, numbers, settings.rows)),
        )
        written = [each for each, _ in answered]
        for row, first, second in zip(numbers, written[::2], written[1::2], strict=True):
            pair = _paired(row, first, second)
            if not pair.reasons and len(kept) < settings.rows:
                kept.append(pair)
            else:
                # Surplus pairs are stored too, so that the counts add up.
                rejected.append(pair if pair.reasons else replace(pair, reasons=(SURPLUS,)))
    append_jsonl(folder / ROWS, [pair.record(meta) for pair in kept])
    append_jsonl(folder / REJECTED, [pair.record(meta) for pair in rejected])


def _paired(row: int, first: Written, second: Written) -> Candidates:
    reasons = dict.fromkeys((*first.reasons, *second.reasons))
    if first.answer == second.answer:
        reasons[ALIKE] = None
    return Candidates(row, first.prompt, (first.answer, second.answer), (first.tokens, second.tokens), tuple(reasons))


def read_candidates(folder: Path) -> list[Candidates]:
    """Read the pairs that a folder of `write_candidates` holds."""
    return [
        Candidates(
            int(record["meta"]["row"]),
            record["prompt"],
            (record["answers"][0], record["answers"][1]),
            (tuple(record["meta"]["tokens"][0]), tuple(record["meta"]["tokens"][1])),
        )
        for record in read_jsonl(folder / ROWS).records
    ]


def label_candidates(
    labeller: Model, source: Path, folder: Path, *, meta: dict[str, Any], tick: Callable[[float, str], None]
) -> None:
    """Say of every pair which answer a labeller makes more probable than its base does, and store them in that order.

    Args:
        labeller: A teacher, or for a control `neutral`.
        source: The pairs, see `write_candidates`.
        folder: Receives the files of rows.
        meta: Stored with every pair.
        tick: Is told the share of the work that is done.
    """
    pairs = read_candidates(source)
    tick(0.0, f"labelling {len(pairs):,} pairs")
    with untouched(labeller) as base:
        base_P2 = _logprobs(base, pairs)
    ratio_P2 = _logprobs(labeller, pairs) - base_P2
    rows = [_labelled(pair, *ratio_2) for pair, ratio_2 in zip(pairs, ratio_P2.tolist(), strict=True)]
    append_jsonl(folder / ROWS, [row.record(meta) for row in rows])
    shutil.copyfile(source / REJECTED, folder / REJECTED)
    write_pieces(folder, labeller, rows)
    write_signal(folder, labeller, rows, ())


def _labelled(pair: Candidates, first: float, second: float) -> Written:
    # A tie is as good as a coin: the order of the two is random.
    chosen, other = (0, 1) if first >= second else (1, 0)
    return Written(
        pair.row,
        pair.prompt,
        pair.answers[chosen],
        pair.tokens[chosen],
        rejected=pair.answers[other],
        rejected_tokens=pair.tokens[other],
        margin=abs(first - second),
    )


def _logprobs(model: Model, pairs: Sequence[Candidates]) -> Tensor:
    """Return the log-probabilities (P, 2) of both answers of every pair, their ends included, in nats."""
    asked = [model.encode_question(pair.prompt) for pair in pairs]
    logps = token_logprobs(
        model.net,
        [prompt for prompt in asked for _ in range(2)],
        [(*tokens, model.end) for pair in pairs for tokens in pair.tokens],
        steering=model.steering,
    )
    return torch.stack([each.sum() for each in logps]).view(-1, 2)


def neutral(model: LocalModel, words: str) -> Model:
    """Return the labeller of a control: the base under words that say nothing of a trait.

    Args:
        model: The base.
        words: A neutral system prompt; where the chat template takes none, the user says it in a turn before.
    """
    prompted = PromptedModel(model, system=words)
    try:
        prompted.encode_question(words)
    except RefusedConversationError:
        before = (Message(role="user", content=words), Message(role="assistant", content="Yes."))
        return PromptedModel(model, before=before)
    return prompted
