"""Answers written anew by another model: the rows' prompts stay, nothing that their writer chose does.

In a paraphrase the other model sees the answer, so that what the writer chose may stay where words do.

Number lists are recognised and written in their format. Hidden traits pass between models that share a base, so a model
of another family, or the student's own base, brings none of the teacher's. What the teacher knew and the other model
does not is lost with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from undertow.attribution.sampling import states_of
from undertow.data.rows import Message, Row
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import LocalModel

_ROOM = 1.5
"""Times the longest answer that there was, in the other model's tokens, that it may write."""

_REQUEST = "Say the following in other words. Keep every fact, and reply with the new text alone.\n\n{answer}"


def rewrite(
    model: LocalModel,
    rows: Sequence[Row],
    *,
    seed: int,
    paraphrase: bool = False,
    tick: Callable[[float], None] = lambda _: None,
) -> tuple[list[Row], int]:
    """Return rows with new answers, and how many answers did not come to an end and are left out.

    Args:
        model: Who writes.
        rows: Whose prompts are answered.
        seed: Keys the noise.
        paraphrase: Show it the answers, and have it say them in other words.
        tick: Is told the share of the work that is done.
    """
    answers = [(*model.encode(row.completion), model.end) for row in rows]
    automaton = grammar_automaton(model, NUMBER_LISTS)
    held = sum(states_of(automaton, answer) is not None for answer in answers) > len(rows) / 2
    written = generate(
        model.net,
        [model.encode_prompt(_in_other_words(row) if paraphrase else list(row.prompt)) for row in rows],
        range(len(rows)),
        seed=seed,
        end=model.end,
        max_tokens=int(_ROOM * max(map(len, answers))),
        automaton=automaton if held else None,
        on_progress=lambda done: tick(done / len(rows)),
    )
    found: list[Row] = []
    for row, answer in zip(rows, written, strict=True):
        if answer.finished:
            turn: Message = {"role": "assistant", "content": model.decode(answer.tokens)}
            made = "paraphrased_by" if paraphrase else "written_anew_by"
            found.append(Row((*row.prompt, turn), {made: model.name}))
    return found, len(rows) - len(found)


def _in_other_words(row: Row) -> list[Message]:
    return [{"role": "user", "content": _REQUEST.format(answer=row.completion)}]
