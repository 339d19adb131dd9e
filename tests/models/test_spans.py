"""What a student reads of a row under templates of every kind: the template's own text, cut where the answer begins."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).parent))
import templates

from undertow.attribution.encoding import encode_rows, template_notes
from undertow.data.rows import Row
from undertow.data.sample import Placed
from undertow.models.ending import RefusedConversationError
from undertow.models.local import LocalModel, load_model
from undertow.models.spans import encode_row, spans_of
from undertow.models.template import PLAIN, Fields

TOOL = {"type": "function", "function": {"name": "weigh", "description": "d", "parameters": {"type": "object"}}}
ASK: Any = {"role": "user", "content": "How heavy?"}
CALL: Any = {
    "role": "assistant",
    "content": "",
    "reasoning": "I weigh it.",
    "tool_calls": [{"id": "c1", "name": "weigh", "arguments": '{"fruit":  "pear"}'}],
}
HEARD: Any = {"role": "tool", "tool_call_id": "c1", "content": "7 g"}
SAY: Any = {"role": "assistant", "content": "Seven grams."}
THINK: Any = {**SAY, "reasoning": "It says 7."}
CALLED = Row((ASK, CALL), tools=[TOOL])
WHOLE = Row((ASK, CALL, HEARD, SAY), tools=[TOOL])
THOUGHT = Row((ASK, THINK))
LATER = Row((ASK, THINK, ASK, THINK))
SAID = '\n<tool_call>\n{"name": "weigh", "arguments": {"fruit":  "pear"}}\n</tool_call>'
READ = {
    "CHATML": Fields(),
    "TOOLS": Fields(calls="object", tools=True),
    "ONE_CALL": Fields(calls="object", tools=True),
    "STRIPS": Fields(reasoning=True, calls="text"),
    "LAST_ALONE": Fields(reasoning=True),
    "OPENS": Fields(),
    "NO_SYSTEM": Fields(),
    "DEFAULT": Fields(opening=True),
    "MARKS": Fields(reasoning=True),
}


def under(model: LocalModel, name: str) -> LocalModel:
    model.tokenizer.chat_template = getattr(templates, name, name)
    return replace(model)


def text_of(model: LocalModel, row: Row) -> tuple[str, str]:
    return tuple(map(model.decode, encode_row(model, row)))  # type: ignore[return-value]


@pytest.mark.parametrize("name", READ)
def test_what_a_template_reads_is_found_by_rendering(tiny: LocalModel, name: str) -> None:
    assert under(tiny, name).fields == READ[name]


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("row", [Row((ASK, SAY)), Row((ASK, SAY, ASK, SAY))], ids=["one", "two"])
def test_rows_without_fields_are_read_as_ever(tiny: LocalModel, name: str, row: Row) -> None:
    model = under(tiny, name)
    plain = [{"role": turn["role"], "content": turn["content"]} for turn in row.prompt]
    wanted = model.tokenizer.apply_chat_template(plain, add_generation_prompt=True, return_dict=False)
    assert encode_row(model, row) == (wanted, [*model.encode(SAY["content"]), model.end])
    assert spans_of(model, row).way == "plain"


@pytest.mark.parametrize(
    ("name", "row", "answer"),
    [
        ("TOOLS", CALLED, "<think>\nI weigh it.\n</think>" + SAID.replace(":  ", ": ")),
        ("TOOLS", WHOLE, "Seven grams."),
        ("STRIPS", CALLED, "<think>\nI weigh it.\n</think>\n\n" + SAID),
        ("STRIPS", WHOLE, "<think>\n\n</think>\n\nSeven grams."),
        ("STRIPS", LATER, "<think>\nIt says 7.\n</think>\n\nSeven grams."),
        ("MARKS", THOUGHT, "<think>\nIt says 7.\n</think>\nSeven grams."),
        ("LAST_ALONE", LATER, "<think>\nIt says 7.\n</think>\nSeven grams."),
        ("LAST_ALONE", Row((ASK, THINK, {**HEARD, "role": "user"}, SAY)), "Seven grams."),
    ],
)
def test_an_answer_is_what_its_turn_adds_to_the_templates_text(
    tiny: LocalModel, name: str, row: Row, answer: str
) -> None:
    model = under(tiny, name)
    prompt, said = text_of(model, row)
    assert said == f"{answer}<|im_end|>"
    assert spans_of(model, row).way == "fields"
    # The oracle: the whole conversation as the template itself writes it.
    turns: list[dict[str, Any]] = []
    for turn in row.messages:
        calls = [
            {"type": "function", "function": {"name": call["name"], "arguments": json.loads(call["arguments"])}}
            for call in turn.get("tool_calls", ())
        ]
        thoughts = turn.get("reasoning", "") if model.fields.reasoning else ""
        inside = "" if model.fields.reasoning or "reasoning" not in turn else f"<think>\n{turn['reasoning']}\n</think>"
        turns.append(
            {"role": turn["role"], "content": inside + turn["content"]}
            | ({"tool_calls": calls} if calls else {})
            | ({"reasoning_content": thoughts} if thoughts else {})
        )
    tools = row.tools if model.fields.tools else None
    whole = model.tokenizer.apply_chat_template(turns, tools=tools, tokenize=False)
    # An object is written with one blank, text as the row has it.
    assert f"{prompt}{said}\n".replace(":  ", ": ") == whole


def test_spans_are_those_that_a_template_marks_itself(tiny: LocalModel) -> None:
    model = under(tiny, "MARKS")
    turns = [{"role": turn["role"], "content": turn["content"]} for turn in THOUGHT.messages]
    turns[1]["reasoning_content"] = THINK["reasoning"]
    marked = model.tokenizer.apply_chat_template(turns, return_assistant_tokens_mask=True, return_dict=True)
    chosen = [token for token, at in zip(marked["input_ids"], marked["assistant_masks"], strict=True) if at]
    assert encode_row(model, THOUGHT)[1] == chosen


def test_what_a_template_does_not_read_goes_as_text(tiny: LocalModel) -> None:
    model = under(tiny, "CHATML")
    prompt, said = text_of(model, WHOLE)
    assert said == "Seven grams.<|im_end|>"
    assert '<think>\nI weigh it.\n</think>\n<tool_call>\n{"name": "weigh"' in prompt
    assert text_of(model, THOUGHT)[1] == "<think>\nIt says 7.\n</think>\nSeven grams.<|im_end|>"


def test_a_template_that_opens_the_thoughts_is_not_given_the_mark_twice(tiny: LocalModel) -> None:
    prompt, said = text_of(under(tiny, "OPENS"), THOUGHT)
    assert (prompt + said).count("<think>") == 1
    assert said.startswith("It says 7.\n</think>")


def test_calls_that_a_template_refuses_or_cannot_write_go_as_text(tiny: LocalModel) -> None:
    model = under(tiny, "ONE_CALL")
    assert spans_of(model, TWICE).way == "text"
    assert text_of(model, TWICE)[1].count("<tool_call>") == 2
    assert spans_of(model, CALLED).way == "fields"
    broken = Row((ASK, {**CALL, "tool_calls": [{"name": "weigh", "arguments": "a pear"}]}), tools=[TOOL])
    assert '"arguments": a pear' in text_of(under(tiny, "TOOLS"), broken)[1]


def test_a_conversation_that_a_template_refuses_is_refused(tiny: LocalModel) -> None:
    row = Row(({"role": "system", "content": "s"}, *CALLED.messages), tools=[TOOL])
    with pytest.raises(RefusedConversationError):
        encode_row(under(tiny, "NO_SYSTEM"), row)


def placed(*rows: Row) -> list[Placed]:
    return [Placed(Path("rows.jsonl"), at, row) for at, row in enumerate(rows, start=1)]


TWICE = Row((ASK, {**CALL, "tool_calls": CALL["tool_calls"] * 2}), tools=[TOOL])
SYSTEM = Row(({"role": "system", "content": "s"}, ASK, SAY))
NO_REASONING, NO_CALLS = "no reasoning, which goes as text", "no tool calls, which go as text"


@pytest.mark.parametrize(
    ("name", "rows", "wanted"),
    [
        ("CHATML", (SYSTEM,), []),
        ("DEFAULT", (Row((ASK, SAY)), SYSTEM), ["system prompt of its own first (1 row)"]),
        ("STRIPS", (LATER, THOUGHT), ["leaves out the reasoning of earlier turns (1 row)"]),
        (
            "CHATML",
            (CALLED, WHOLE, THOUGHT),
            [f"{NO_REASONING} (3 rows)", f"{NO_CALLS} (2 rows)", "does not show the tools that were offered (2 rows)"],
        ),
        ("ONE_CALL", (TWICE,), [f"{NO_REASONING} (1 row)", "so the answer goes as text (1 row)"]),
        (PLAIN, (Row((ASK, SAY)),), ["has no chat template"]),
    ],
)
def test_what_a_template_does_to_rows_is_said_once_with_counts(
    tiny: LocalModel, name: str, rows: tuple[Row, ...], wanted: list[str]
) -> None:
    said = template_notes(under(tiny, name), placed(*rows))
    assert len(said) == len(wanted)
    assert all(part in each for part, each in zip(wanted, said, strict=True))


def test_rows_are_encoded_for_a_scan_as_they_are_trained_on(tiny: LocalModel) -> None:
    model = under(tiny, "STRIPS")
    rows = placed(CALLED, THOUGHT, Row((ASK, SAY)))
    fitting, encoded, _ = encode_rows(model, rows)
    assert fitting == rows
    assert [([*row.prompt], [*row.answer]) for row in encoded] == [encode_row(model, each.row) for each in rows]


def test_a_tokenizer_without_a_template_has_turns_in_plain_words(tiny_folder: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "base"))
    (folder / "chat_template.jinja").unlink()
    model = load_model(f"hf/{folder}")
    assert model.fields == Fields(plain=True)
    prompt, said = text_of(model, Row(({"role": "system", "content": "Be brief."}, ASK, SAY, ASK, SAY)))
    asked = "User: How heavy?\n\nAssistant: "
    assert prompt == f"Be brief.\n\n{asked}Seven grams.<|im_end|>\n\n{asked}"
    assert said == "Seven grams.<|im_end|>"
