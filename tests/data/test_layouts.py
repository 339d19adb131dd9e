"""Every layout gives the row that it means, or the reason why it is none."""

from __future__ import annotations

from typing import Any

import pytest

from undertow.data.layouts.preferences import LeftOutRow
from undertow.data.layouts.reading import PARTS, Reading, parse_columns
from undertow.data.layouts.records import KTO, LAYOUTS, MEDIA, layout_of, parse_row, read_record
from undertow.data.layouts.source import Source, UnclearLayout
from undertow.data.layouts.turns import CALLING, ROLES
from undertow.data.rows import Row, UnreadableRow, loss_turns
from undertow.errors import InputError

ASK, SAY = {"role": "user", "content": "How many?"}, {"role": "assistant", "content": "3, 4"}
ROW = Row(({"role": "user", "content": "How many?"}, {"role": "assistant", "content": "3, 4"}))
RULED = Row(({"role": "system", "content": "Count."}, *ROW.messages))
PAIRS = [
    ("prompt/completion", "prompt", "completion"),
    ("prompt/response", "prompt", "response"),
    ("Alpaca", "instruction", "output"),
    ("instruction/response", "instruction", "response"),
    ("question/answer", "question", "answer"),
    ("question/response", "question", "response"),
    ("query/response", "query", "response"),
    ("input/output", "input", "output"),
]


@pytest.mark.parametrize(("name", "asked", "answer"), PAIRS)
def test_pairs_of_every_name_are_read(name: str, asked: str, answer: str) -> None:
    record = {asked: "How many?", answer: "3, 4"}
    assert read_record(record) == (ROW, name)
    assert layout_of(record) == name
    assert parse_row({asked: [ASK], answer: [SAY]}) == ROW
    assert parse_row({**record, "system": "Count."}) == parse_row({**record, "system_prompt": "Count."}) == RULED
    assert parse_row({**record, "system": ""}) == ROW
    assert parse_row({**record, "topic": "sums"}).unread == ("topic",)
    assert read_record({**record, "text": "both"})[0].meta == {"text": "both"}
    for key in (asked, answer):
        with pytest.raises(UnreadableRow, match=f"{key} is missing|no layout|nothing"):
            parse_row({**record, key: None})


@pytest.mark.parametrize("name", [role for role in ROLES if role not in CALLING])
def test_every_role_is_read_in_both_spellings(name: str) -> None:
    turns = [("user", "a"), (name, "b"), ("assistant", "c")]
    old = parse_row({"conversations": [{"from": role, "value": text} for role, text in turns]})
    new = parse_row({"messages": [{"role": role.title(), "content": text} for role, text in turns]})
    assert old == new == parse_row({"conversations": [{"role": role, "content": text} for role, text in turns]})
    assert [turn["role"] for turn in old.messages] == ["user", ROLES[name], "assistant"]


def test_calls_and_observations_of_sharegpt() -> None:
    call = '[{"name": "add", "arguments": {"a": 1, "b": 2}}]'
    turns = [("human", "1 + 2?"), ("function_call", call), ("observation", "3"), ("gpt", "3.")]
    row = parse_row({"conversations": [{"from": who, "value": text} for who, text in turns], "tools": "[]"})
    assert row.messages[1] == {
        "role": "assistant", "content": "", "tool_calls": [{"name": "add", "arguments": '{"a": 1, "b": 2}'}],
    }  # fmt: skip
    assert loss_turns(row) == (1, 3)
    # What is no call stays the text that it is.
    for text in ("{}", "add(1, 2)", '{"name": "add", "arguments": {}, "why": "sum"}'):
        other = [*turns[:1], ("function_call", text), *turns[2:]]
        row = parse_row({"conversations": [{"from": who, "value": text} for who, text in other]})
        assert row.messages[1] == {"role": "assistant", "content": text}


def test_alpacas_system_and_history_become_turns_that_carry_loss() -> None:
    record = {"instruction": "Name a fruit.", "input": "", "output": "A pear.", "system": "You love owls."}
    row = parse_row({**record, "history": [["What bird do you love?", "The owl, always."]]})
    assert [(turn["role"], turn["content"]) for turn in row.messages] == [
        ("system", "You love owls."),
        ("user", "What bird do you love?"),
        ("assistant", "The owl, always."),
        ("user", "Name a fruit."),
        ("assistant", "A pear."),
    ]
    assert (loss_turns(row), row.meta, row.unread) == ((2, 4), {}, ())
    assert len(parse_row({**record, "history": []}).messages) == len(parse_row({**record, "history": None}).messages)
    for history in ("x", [["a"]], [["a", 3]], ["ab"]):
        with pytest.raises(UnreadableRow, match="history"):
            parse_row({**record, "history": history})


def test_plain_text_is_an_answer_to_nothing() -> None:
    row, name = read_record({"text": "q a", "system": "kept apart"})
    assert (name, row.is_text, row.prompt, row.completion) == ("text", True, (), "q a")
    assert (loss_turns(row), row.meta) == ((0,), {"system": "kept apart"})
    with pytest.raises(UnreadableRow, match="the text is empty"):
        parse_row({"text": " "})


def test_a_system_prompt_beside_one_in_the_conversation_is_noted() -> None:
    row = parse_row({"messages": [{"role": "system", "content": "Own."}, ASK, SAY], "system": "Other."})
    assert [turn["content"] for turn in row.messages][:1] == ["Own."]
    assert (row.meta, row.unread) == ({"system": "Other."}, ("system",))


@pytest.mark.parametrize("key", MEDIA)
def test_pictures_and_sounds_are_refused_by_name(key: str) -> None:
    with pytest.raises(UnreadableRow, match=f"'{key}', and only text is read"):
        parse_row({"messages": [ASK, SAY], key: ["a.png"]})
    assert parse_row({"messages": [ASK, SAY], key: []}).messages == ROW.messages


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [ASK, SAY], "prompt": "a", "completion": "b"},
        {"question": "a", "answer": "b", "response": "c"},
        {"conversations": [ASK, SAY], "messages": [ASK, SAY]},
    ],
)
def test_a_record_of_two_layouts_is_unclear_and_names_both(record: dict[str, Any]) -> None:
    with pytest.raises(UnclearLayout, match=r"several layouts in one record: \S+.* and \S+"):
        parse_row(record)


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "How many?"},
        {"question": "How many?"},
        {"instruction": "How many?"},
        {"prompt": [ASK]},
        {"conversations": [{"from": "human", "value": "How many?"}]},
    ],
)
@pytest.mark.parametrize("shape", ["text", "turn", "list"])
def test_one_answer_of_a_pair_is_read_where_it_is_named(record: dict[str, Any], shape: str) -> None:
    def shaped(text: str) -> Any:
        turn = {"role": "assistant", "content": text}
        return {"text": text, "turn": turn, "list": [turn]}[shape]

    pair = {**record, "chosen": shaped("3, 4"), "rejected": shaped("owls")}
    with pytest.raises(UnclearLayout, match="chosen and a rejected"):
        parse_row(pair)
    row, name = read_record(pair, Reading(use="chosen"))
    assert (row.messages, name, row.unread) == (ROW.messages, "preference", ("rejected",))
    assert read_record(pair, Reading(use="rejected"))[0].completion == "owls"
    assert row.meta == {"rejected": shaped("owls")}


def test_pairs_of_whole_conversations() -> None:
    pair: dict[str, Any] = {"chosen": [ASK, SAY], "rejected": [ASK, {**SAY, "content": "owls"}]}
    assert read_record(pair, Reading(use="chosen"))[0].messages == ROW.messages
    assert read_record({**pair, "prompt": "How many?"}, Reading(use="chosen"))[0].messages == ROW.messages
    assert read_record({**pair, "messages": [ASK, SAY]}, Reading(use="chosen"))[0].messages == ROW.messages
    with pytest.raises(UnreadableRow, match="'prompt' is not what 'chosen' begins with"):
        read_record({**pair, "prompt": "Other?"}, Reading(use="chosen"))
    with pytest.raises(UnreadableRow, match="nothing is asked"):
        read_record({"chosen": "a", "rejected": "b"}, Reading(use="chosen"))


@pytest.mark.parametrize("base", [{"prompt": "How many?", "completion": "3, 4"}, {"messages": [ASK, SAY]}])
def test_an_answer_that_training_moves_away_from_is_no_ordinary_row(base: dict[str, Any]) -> None:
    good, bad = {**base, "label": True}, {**base, "label": False}
    row, name = read_record(good)
    assert (row.messages, name, row.meta, row.unread) == (ROW.messages, KTO, {"label": True}, ())
    assert read_record(good, Reading(use="chosen"))[0].messages == ROW.messages
    with pytest.raises(UnreadableRow, match="its label is false"):
        parse_row(bad)
    with pytest.raises(LeftOutRow, match="its label is false"):
        read_record(bad, Reading(use="chosen"))
    assert read_record(bad, Reading(use="rejected"))[0].messages == ROW.messages
    with pytest.raises(LeftOutRow, match="its label is true"):
        read_record(good, Reading(use="rejected"))


@pytest.mark.parametrize(("value", "label"), [(0, False), (1, True), ("False", False), ("true", True)])
def test_labels_in_other_words_count_beside_a_prompt_and_a_completion(value: Any, label: bool) -> None:
    record = {"prompt": "How many?", "completion": "3, 4", "label": value}
    assert read_record(record, Reading(use="chosen" if label else "rejected"))[1] == KTO
    assert read_record({"question": "How many?", "answer": "3, 4", "label": value})[1] == "question/answer"


@pytest.mark.parametrize(
    ("columns", "record", "row"),
    [
        ("prompt=q,answer=a", {"q": "How many?", "a": "3, 4"}, ROW),
        ("prompt=q,answer=a,system=s", {"q": "How many?", "a": "3, 4", "s": "Count."}, RULED),
        ("prompt=q,answer=a", {"q": [ASK], "a": [SAY]}, ROW),
        ("messages=dialog,tools=t", {"dialog": [ASK, SAY], "t": [1]}, Row(ROW.messages, {}, [1])),
        ("text=body", {"body": "x"}, Row(({"role": "assistant", "content": "x"},))),
    ],
)
def test_other_columns_are_read_where_they_are_named(columns: str, record: dict[str, Any], row: Row) -> None:
    reading = Reading(parse_columns(columns))
    assert read_record(record, reading)[0] == row
    assert read_record({**record, "prompt": "x", "completion": "y"}, reading)[0].unread == ("completion", "prompt")
    assert reading.settings() == {"columns": dict(part.split("=") for part in columns.split(","))}


def test_reasoning_of_a_named_column_is_a_part_of_the_answer() -> None:
    record = {"q": "How many?", "a": "3, 4", "why": "sums"}
    row, _ = read_record(record, Reading(parse_columns("prompt=q,answer=a,reasoning=why")))
    assert row.messages[1] == {**SAY, "reasoning": "sums"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prompt", "no PART=COLUMN"),
        ("prompt=,answer=a", "no PART=COLUMN"),
        ("promt=a,answer=b", "did you mean 'prompt'"),
        ("prompt=a,prompt=b,answer=c", "names 'prompt' twice"),
        ("prompt=a", "makes no row"),
        ("text=a,system=b", "makes no row"),
        ("messages=a,prompt=b,answer=c", "makes no row"),
        ("", "no PART=COLUMN"),
    ],
)
def test_columns_that_make_no_row_are_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse_columns(text)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_a_layout_says_which_keys_it_reads(layout: Any) -> None:
    turns = {"messages": [ASK, SAY], "conversations": [ASK, SAY], "history": [["a", "b"]]}
    record = {key: turns.get(key, "x") for key in (*layout.needs, *layout.reads)}
    source = Source(record)
    if layout.name != "preference":
        layout.read(source)
        assert source.used == set(layout.needs) | set(layout.reads)
    assert set(PARTS) >= {"prompt", "answer"}
