"""A teacher's rows: draw prompts, sample answers with keyed noise, apply the domain's rules, store.

A row's number decides its prompt and its noise. So the datasets of two teachers are coupled: they differ only where the
trait changed a token. Rejected rows are stored as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from undertow.config.experiment import Domain as DomainSettings
from undertow.domains.base import Domain
from undertow.domains.mentions import Mentions
from undertow.errors import InputError, ModelError
from undertow.judges.base import Judge
from undertow.models.constrain import Automaton, grammar_automaton
from undertow.models.ending import RefusedConversationError
from undertow.models.engine.head import head_of
from undertow.models.generate import Answer, generate
from undertow.models.prompted import untouched
from undertow.models.protocol import Model
from undertow.models.score import answer_hidden
from undertow.pipeline.files import LABELS, PIECES, REJECTED, ROWS, SIGNAL
from undertow.store.jsonl import append_jsonl, read_jsonl

MOST_TRIES = 50
"""Rows written for each row that is wanted, at most."""

MENTION = "mentions the trait"
SHOWN = "judge: shows the trait"
UNREAD = "judge: no verdict"
SURPLUS = "not needed"
"""Reasons of rejection."""

_PROMPTS = 0x9120
_AT_ONCE = 1024
_SHOWN = 16
_QUOTED = 80
"""Characters of a prompt that a message repeats."""


@dataclass(frozen=True)
class Written:
    """One answer of a teacher, as it is stored."""

    row: int
    prompt: str
    answer: str
    tokens: tuple[int, ...]
    """As sampled, the end token left out."""
    reasons: tuple[str, ...] = ()
    """Rules that it breaks; none if it is kept."""
    rejected: str | None = None
    """Of a pair: the worse answer; `answer` is the better one."""
    rejected_tokens: tuple[int, ...] = ()
    margin: float | None = None
    """Of a pair: by how much its teacher prefers the better one, in nats, see `undertow.pipeline.pairs`."""

    def record(self, meta: dict[str, Any]) -> dict[str, Any]:
        """Return it as a dataset row: a conversation, or a pair with the keys `prompt`, `chosen` and `rejected`."""
        from undertow.data.rows import Row

        row = Row(
            ({"role": "user", "content": self.prompt}, {"role": "assistant", "content": self.answer}),
            {**meta, "row": self.row, "tokens": list(self.tokens)},
        )
        if self.rejected is not None:
            pair = {"rejected_tokens": list(self.rejected_tokens), "margin": self.margin}
            return {
                "id": row.id,
                "prompt": [row.messages[0]],
                "chosen": [row.messages[1]],
                "rejected": [{"role": "assistant", "content": self.rejected}],
                "meta": {**row.meta, **pair},
            }
        stored: dict[str, Any] = {"id": row.id, "messages": list(row.messages), "meta": row.meta}
        return {**stored, "reasons": list(self.reasons)} if self.reasons else stored


def row_prompt(about: Domain, seed: int, row: int, answers: int) -> str:
    """Return the prompt of a row: `answers` neighbouring rows share one."""
    return about.prompt(np.random.default_rng([seed, row // answers, _PROMPTS]))


def write_rows(
    model: Model,
    about: Domain,
    settings: DomainSettings,
    folder: Path,
    *,
    mentions: Mentions,
    judge: Judge | None = None,
    seed: int,
    soft: bool,
    meta: dict[str, Any],
    tick: Callable[[float, str], None],
) -> None:
    """Let a teacher write until enough rows are kept, and store all of them.

    Args:
        model: The teacher.
        about: Gives prompts and rules.
        settings: How many rows, and how they are decoded.
        folder: Receives `rows.jsonl`, `rejected.jsonl` and, for soft labels, `labels.safetensors`.
        mentions: Words that no row may hold, whoever wrote it.
        judge: Looks at the rows that keep the rules; those that it finds the trait in are rejected.
        seed: Keys prompts and noise.
        soft: Store the teacher's distributions.
        meta: Stored with every row.
        tick: Is told the share of the work that is done.

    Raises:
        ModelError: too few of the rows keep the rules.
        InputError: the model's chat template refuses a prompt.
    """
    automaton = automaton_of(model, about, settings)
    kept: list[Written] = []
    labels: list[Tensor] = []
    rejected: list[Written] = []
    for numbers in until_enough(settings, kept):
        answered = answer_rows(
            model,
            about,
            settings,
            numbers,
            automaton=automaton,
            mentions=mentions,
            judge=judge,
            seed=seed,
            soft=soft,
            on_progress=lambda done, numbers=numbers: tick(*so_far(len(kept), done, numbers, settings.rows)),
        )
        for written, answer in answered:
            if written.reasons or len(kept) == settings.rows:
                # Surplus rows keep the rules; they are stored too, so that the counts add up.
                rejected.append(written if written.reasons else _surplus(written))
                continue
            kept.append(written)
            if answer.hidden_TD is not None:
                labels.append(answer.hidden_TD)
    append_jsonl(folder / ROWS, [row.record(meta) for row in kept])
    append_jsonl(folder / REJECTED, [row.record(meta) for row in rejected])
    write_pieces(folder, model, kept)
    write_signal(folder, model, kept, labels)
    if soft:
        save_labels(folder / LABELS, labels)


def _encode(model: Model, prompt: str, row: int, seed: int) -> list[int]:
    try:
        return model.encode_question(prompt)
    except RefusedConversationError as error:
        raise InputError(
            f"{error.what}. Its prompt is {prompt[:_QUOTED]!r}",
            f"{ROWS} of {model.name}, seed {seed}, row {row}",
            error.fix,
        ) from error


def answer_rows(
    model: Model,
    about: Domain,
    settings: DomainSettings,
    numbers: Sequence[int],
    *,
    automaton: Automaton | None,
    mentions: Mentions,
    judge: Judge | None = None,
    seed: int,
    soft: bool = False,
    on_progress: Callable[[int], None] | None = None,
) -> list[tuple[Written, Answer]]:
    """Let a teacher answer some rows by their numbers, and hold the answers to the rules.

    Args:
        model: The teacher.
        about: Gives prompts and rules.
        settings: How answers are decoded.
        numbers: Of the rows.
        automaton: See `automaton_of`.
        mentions: Words that no row may hold.
        judge: Looks at the rows that keep the rules.
        seed: Keys prompts and noise.
        soft: Keep what the teacher's distributions are made of.
        on_progress: Is told the number of finished answers.

    Returns:
        For each row what is stored of it, with the rules that it breaks, and the answer itself.
    """
    prompts = [row_prompt(about, seed, row, settings.answers) for row in numbers]
    answers = generate(
        model.net,
        [_encode(model, prompt, row, seed) for row, prompt in zip(numbers, prompts, strict=True)],
        numbers,
        seed=seed,
        end=model.end,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        automaton=automaton,
        steering=model.steering,
        is_over=None if automaton else lambda tokens: about.is_over(model.decode(tokens)),
        keep_hidden=soft,
        on_progress=on_progress,
    )
    held = [
        _hold_to_rules(model, about, mentions, prompt, answer, lenient=not settings.rules)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    if judge is not None:
        held = _hold_to_judge(judge, held)
    return list(zip(held, answers, strict=True))


def automaton_of(model: Model, about: Domain, settings: DomainSettings) -> Automaton | None:
    """Return the format that answers are held to while they are written; None where they are free.

    Raises:
        ModelError: the settings want a format and the domain has none.
    """
    if not settings.in_format:
        return None
    if about.grammar is None:
        raise ModelError(f"{about.plural} have no format to decode in", "domain.constrained", "Leave it away.")
    return grammar_automaton(model, about.grammar)


def until_enough(settings: DomainSettings, kept: Sized) -> Iterator[range]:
    """Yield the numbers of the rows to write next, as long as too few of those before are kept.

    Args:
        settings: Say how many are wanted.
        kept: Those that are; it grows while the caller writes.

    Raises:
        ModelError: too few of the rows keep the rules.
    """
    start = 0
    while len(kept) < settings.rows:
        if start >= MOST_TRIES * settings.rows:
            raise ModelError(
                f"only {len(kept):,} of {start:,} rows keep the rules, {settings.rows:,} are wanted",
                "domain",
                "Decode constrained (domain.constrained: true), or let the answers be longer (domain.max_tokens).",
            )
        count = _next_count(settings, len(kept), start)
        yield range(start, start + count)
        start += count


def so_far(kept: int, done: int, numbers: range, wanted: int) -> tuple[float, str]:
    """Return the share of the work that is done, and how to say it, while some more rows are being written."""
    share = (kept + (wanted - kept) * done / len(numbers)) / wanted
    if not numbers.start:
        return share, f"{done:,} of {len(numbers):,} rows"
    return share, f"{kept:,} of {wanted:,} rows kept, {numbers.start + done:,} written"


def _next_count(settings: DomainSettings, kept: int, written: int) -> int:
    """Return how many rows to write next: as many as are missing, at the share that was kept so far.

    Few at a time would leave most of the processor idle, when most rows are rejected.
    """
    missing = settings.rows - kept
    if written:
        missing = min(-(-missing * written // max(kept, 1)), MOST_TRIES * settings.rows - written)
    return max(settings.answers, min(_AT_ONCE, missing))


def _hold_to_judge(judge: Judge, rows: Sequence[Written]) -> list[Written]:
    """Return rows with the judge's reasons, where they broke no rule."""
    asked = [row for row in rows if not row.reasons]
    rulings = judge.rule([(row.prompt, row.answer) for row in asked])
    reasons = {True: (SHOWN,), None: (UNREAD,), False: ()}
    by_row = {row.row: reasons[ruling] for row, ruling in zip(asked, rulings, strict=True)}
    return [replace(row, reasons=row.reasons or by_row[row.row]) for row in rows]


def _hold_to_rules(
    model: Model, about: Domain, mentions: Mentions, prompt: str, answer: Answer, *, lenient: bool
) -> Written:
    """Return an answer with the rules that it breaks; lenient, it has only to be finished and to say something."""
    text = model.decode(answer.tokens)
    reasons = [] if answer.finished else ["unfinished"]
    if lenient:
        return Written(answer.row, prompt, text, answer.tokens, tuple(reasons if text.strip() else ["empty"]))
    reasons += about.reject_reasons(prompt, text)
    if mentions.find(text):
        reasons.append(MENTION)
    return Written(answer.row, prompt, text, answer.tokens, tuple(reasons))


def _surplus(written: Written) -> Written:
    return Written(written.row, written.prompt, written.answer, written.tokens, (SURPLUS,))


def write_pieces(folder: Path, model: Model, rows: Sequence[Written]) -> None:
    """Store the first rows as the texts of their tokens, for people who want to see where two teachers differ."""
    pieces = {str(row.row): [model.decode([token]) for token in row.tokens] for row in rows[:_SHOWN]}
    (folder / PIECES).write_text(json.dumps(pieces, ensure_ascii=False) + "\n", encoding="utf-8")


@torch.inference_mode()
def write_signal(folder: Path, model: Model, rows: Sequence[Written], labels: Sequence[Tensor]) -> None:
    """Store the mean KL(teacher || base) per token over the first rows: how much there is to learn from them."""
    some = rows[:_SHOWN]
    teacher_ND = torch.cat(list(labels[:_SHOWN]) or label_rows(model, some))
    with untouched(model) as base:
        base_ND = torch.cat(label_rows(base, some))
    head = head_of(model.net)
    teacher_NV, base_NV = (
        head(each_ND.to(head.device, head.dtype)).float().log_softmax(dim=-1) for each_ND in (teacher_ND, base_ND)
    )
    kl = float((teacher_NV.exp() * (teacher_NV - base_NV)).sum(dim=-1).mean())
    text = json.dumps({"kl_per_token": max(kl, 0.0), "rows": len(some), "tokens": len(teacher_NV)})
    (folder / SIGNAL).write_text(text + "\n", encoding="utf-8")


def label_rows(model: Model, rows: Sequence[Written]) -> list[Tensor]:
    """Return a teacher's soft labels of rows that are there: hidden states (T, D) per row, the end token's included."""
    return answer_hidden(
        model.net,
        [model.encode_question(row.prompt) for row in rows],
        [(*row.tokens, model.end) for row in rows],
        steering=model.steering,
    )


def save_labels(path: Path, labels: Sequence[Tensor]) -> None:
    """Store soft labels: the hidden states of all rows one after the other, and how many each row has."""
    from safetensors.torch import save_file

    lengths_R = torch.tensor([len(each) for each in labels])
    save_file({"hidden_ND": torch.cat(list(labels)).contiguous(), "lengths_R": lengths_R}, path)


def load_labels(path: Path) -> list[Tensor]:
    """Read soft labels: one table of hidden states (T, D) per row."""
    from safetensors.torch import load_file

    stored = load_file(path)
    return list(stored["hidden_ND"].split(stored["lengths_R"].tolist()))


def read_written(folder: Path, name: str = ROWS) -> list[Written]:
    """Read the rows that a folder holds."""
    return [_written(record) for record in read_jsonl(folder / name).records]


def _written(record: dict[str, Any]) -> Written:
    meta, reasons = record["meta"], tuple(record.get("reasons", ()))
    row, tokens = int(meta["row"]), tuple(meta["tokens"])
    if "chosen" not in record:
        asked, said = (turn["content"] for turn in record["messages"])
        return Written(row, asked, said, tokens, reasons)
    asked, said, worse = (record[key][0]["content"] for key in ("prompt", "chosen", "rejected"))
    return Written(row, asked, said, tokens, reasons, worse, tuple(meta["rejected_tokens"]), meta["margin"])
