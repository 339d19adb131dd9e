"""Answers written anew by another model: the rows' prompts stay, nothing that their writer chose does.

In a paraphrase the other model sees the answer, so that what the writer chose may stay where words do.

Number lists are recognised and written in their format. Hidden traits pass between models that share a base, so a model
of another family, or the student's own base, brings none of the teacher's. What the teacher knew and the other model
does not is lost with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from undertow.attribution.sampling import states_of
from undertow.data.rows import LOSS, Loss, Message, Row, loss_turns
from undertow.domains.numbers import NUMBER_LISTS
from undertow.models.constrain import grammar_automaton
from undertow.models.generate import generate
from undertow.models.local import LocalModel
from undertow.models.spans import encode_row

_ROOM = 1.5
"""Times the longest answer that there was, in the other model's tokens, that it may write."""

_REQUEST = "Say the following in other words. Keep every fact, and reply with the new text alone.\n\n{answer}"


def rewrite(
    model: LocalModel,
    rows: Sequence[Row],
    *,
    seed: int,
    loss: Loss = LOSS,
    paraphrase: bool = False,
    tick: Callable[[float], None] = lambda _: None,
) -> tuple[list[Row], int]:
    """Return rows with new answers, and how many answers did not come to an end and are left out.

    Args:
        model: Who writes.
        rows: Whose prompts are answered.
        seed: Keys the noise.
        loss: Which turns are written: those that carry loss.
        paraphrase: Show it the answers, and have it say them in other words.
        tick: Is told the share of the work that is done.
    """
    # A turn of another role may carry loss too; only answers are written.
    places = [[at for at in loss_turns(row, loss) if row.messages[at]["role"] == "assistant"] for row in rows]
    done: list[list[Message] | None] = [[turn.copy() for turn in row.messages] for row in rows]
    rounds = max(map(len, places), default=0)
    for turn in range(rounds):
        # An answer stands behind the new ones before it, so the turns of all rows are written one after the other.
        some = [at for at, turns in enumerate(places) if len(turns) > turn and done[at] is not None]
        if not some:
            break
        parts = [Row(tuple((done[at] or [])[: places[at][turn] + 1]), tools=rows[at].tools) for at in some]

        def tell(share: float, turn: int = turn) -> None:
            tick((turn + share) / rounds)

        texts = _new_answers(model, parts, some, seed=seed + turn * _ROUND, paraphrase=paraphrase, tick=tell)
        for at, text in zip(some, texts, strict=True):
            turns = done[at]
            assert turns is not None
            if text is None:
                done[at] = None
            else:
                new = Message(role="assistant", content=text)
                if loss == "marked" and "weight" in turns[places[at][turn]]:
                    new["weight"] = turns[places[at][turn]].get("weight", 1.0)
                turns[places[at][turn]] = new
    made = "paraphrased_by" if paraphrase else "written_anew_by"
    found: list[Row] = []
    for row, turns, written in zip(rows, done, places, strict=True):
        if turns is None:
            continue
        for at, turn in enumerate(turns):
            if turn["role"] == "assistant" and at not in written:
                # The old writer's answer stays as context. Nothing is learned from it.
                turn["weight"] = 0.0
        found.append(Row(tuple(turns), {made: model.name}, row.tools, row.weight))
    return found, len(rows) - len(found)


_ROUND = 1_000_003
"""Is added to the seed for each further answer of a conversation."""


def _new_answers(
    model: LocalModel,
    rows: Sequence[Row],
    numbers: Sequence[int],
    *,
    seed: int,
    paraphrase: bool,
    tick: Callable[[float], None],
) -> list[str | None]:
    """Return a new last answer for every row; None where it did not come to an end."""
    answers = [encode_row(model, row)[1] for row in rows]
    automaton = grammar_automaton(model, NUMBER_LISTS)
    held = sum(states_of(automaton, answer) is not None for answer in answers) > len(rows) / 2
    written = generate(
        model.net,
        [model.encode_prompt(_in_other_words(row)) if paraphrase else encode_row(model, row)[0] for row in rows],
        numbers,
        seed=seed,
        end=model.end,
        max_tokens=int(_ROOM * max(map(len, answers))),
        automaton=automaton if held else None,
        on_progress=lambda done: tick(done / len(rows)),
    )
    return [model.decode(answer.tokens) if answer.finished else None for answer in written]


def _in_other_words(row: Row) -> list[Message]:
    return [{"role": "user", "content": _REQUEST.format(answer=row.completion)}]
