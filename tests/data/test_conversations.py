"""Rows hold whole conversations: what hashes them, which turns carry loss, and what is written is read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.data.files import LeftOut, read_rows, require_rows, write_rows
from undertow.data.layouts.reading import Reading
from undertow.data.layouts.records import parse_row
from undertow.data.rows import Message, Row, UnreadableRow, loss_turns, reasoning_of, turn_text

ASK: Message = {"role": "user", "content": "Name a fruit."}
SAY: Message = {"role": "assistant", "content": "A pear."}
CALL = {"id": "c1", "type": "function", "function": {"name": "weigh", "arguments": '{"fruit": "pear"}'}}

texts = st.text(max_size=12)
said = texts.filter(str.strip)
weights = st.sampled_from([0, 1, 0.5])


@st.composite
def messages(draw: st.DrawFn, role: str) -> Message:
    turn: dict[str, Any] = {"role": role, "content": draw(said if role == "assistant" else texts)}
    if role == "assistant" and draw(st.booleans()):
        turn["reasoning"] = draw(said)
    if role == "assistant" and draw(st.booleans()):
        number = st.fixed_dictionaries({"id": said}) if draw(st.booleans()) else st.just({})
        call = st.builds(lambda more, name, arguments: {**more, "name": name, "arguments": arguments},
                         number, said, texts)  # fmt: skip
        turn["tool_calls"] = draw(st.lists(call, min_size=1, max_size=2))
        turn["content"] = draw(texts)
    for key in ("name", "tool_call_id"):
        if draw(st.integers(0, 4)) == 0:
            turn[key] = draw(said)
    if draw(st.integers(0, 3)) == 0:
        turn["weight"] = draw(weights)
    return cast(Message, turn)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    roles = draw(st.lists(st.sampled_from(["system", "user", "assistant", "tool"]), min_size=1, max_size=4))
    turns = tuple(draw(messages(role)) for role in (*roles, "assistant"))
    if draw(st.integers(0, 5)) == 0:
        turns = ({"role": "assistant", "content": draw(said)},)
    tools = draw(st.none() | st.lists(st.fixed_dictionaries({"type": st.just("function")}), min_size=1, max_size=2))
    meta = draw(st.dictionaries(texts, texts | st.integers(-9, 9), max_size=2))
    return Row(turns, meta, tools if len(turns) > 1 else None, draw(st.none() | weights))


@given(st.lists(rows(), min_size=1, max_size=4))
def test_what_is_written_is_read_again_whole(tmp_path_factory: pytest.TempPathFactory, wanted: list[Row]) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    reading = Reading(loss="all")
    for row in wanted:  # one a file: plain text and messages are two layouts
        write_rows(path, [row])
        (again,) = require_rows(path, reading=reading)
        assert (again, again.id, again.unread) == (row, row.id, ())


def test_plain_text_and_conversations_are_written_into_one_file(tmp_path: Path) -> None:
    wanted = [Row((ASK, SAY)), Row(({"role": "assistant", "content": "plain"},), {"n": 1}), Row((ASK, SAY), {}, [1])]
    write_rows(tmp_path / "rows.jsonl", wanted)
    assert require_rows(tmp_path / "rows.jsonl") == wanted


@given(rows())
def test_the_turns_that_carry_loss_follow_from_their_marks(row: Row) -> None:
    answers = [at for at, turn in enumerate(row.messages) if turn["role"] == "assistant"]
    marks = {at: turn["weight"] for at, turn in enumerate(row.messages) if "weight" in turn}
    assert loss_turns(row, "last") == (len(row.messages) - 1,)
    assert loss_turns(row, "all") == tuple(answers)
    trained = {at for at in answers if marks.get(at, 1)} | {at for at, weight in marks.items() if weight}
    assert set(loss_turns(row)) == (set() if row.weight == 0 else trained)
    if not marks and row.weight is None:
        assert loss_turns(row) == loss_turns(row, "all")


@given(rows())
def test_an_answer_is_never_blank_and_turns_say_all_they_hold(row: Row) -> None:
    assert row.completion.strip()
    for turn in row.messages:
        whole = turn_text(turn)
        assert turn["content"] in whole
        assert turn.get("reasoning", "") in whole
        assert all(call["arguments"] in whole for call in turn.get("tool_calls", ()))


@given(rows(), st.data())
def test_every_part_that_is_trained_on_changes_the_id(row: Row, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(row.messages) - 1))
    key = data.draw(st.sampled_from(["content", "reasoning", "name", "weight", "tool_calls"]))
    new: Any = {"weight": 0.25, "tool_calls": [{"name": "other", "arguments": "x" * 20}]}.get(key, "x" * 20)
    turns = list(row.messages)
    turns[at] = cast(Message, {**turns[at], key: new})
    assert Row(tuple(turns), row.meta, row.tools, row.weight).id != row.id
    assert Row(row.messages, row.meta, [*(row.tools or ()), 1], row.weight).id != row.id
    assert Row(row.messages, row.meta, row.tools, 0.125).id != row.id
    assert Row(row.messages, {"other": 1}, row.tools, row.weight).id == row.id


def test_plain_rows_keep_the_ids_that_stored_runs_have() -> None:
    # As release 31d7465 printed them.
    again: Message = {"role": "user", "content": "Again."}
    assert Row((ASK, SAY)).id == "4a21af0544a02797"
    stone: Message = {"role": "assistant", "content": "A stone."}
    assert Row((ASK, stone, again, SAY)).id == "301cab39652ff442"
    assert Row((ASK, stone)).id == "9a08cecb5edb587d"


@pytest.mark.parametrize(
    ("turn", "wanted"),
    [
        ({"content": None, "tool_calls": [CALL]},
         {"content": "", "tool_calls": [{"id": "c1", "name": "weigh", "arguments": '{"fruit": "pear"}'}]}),
        ({"content": "x", "tool_calls": [{"name": "f", "arguments": {"a": 1}}]},
         {"content": "x", "tool_calls": [{"name": "f", "arguments": '{"a": 1}'}]}),
        ({"content": None, "function_call": {"name": "f", "arguments": "{}"}},
         {"content": "", "tool_calls": [{"name": "f", "arguments": "{}"}]}),
        ({"content": "x", "reasoning_content": "why"}, {"content": "x", "reasoning": "why"}),
        ({"content": "x", "reasoning": "why", "thinking": "why"}, {"content": "x", "reasoning": "why"}),
        ({"content": "<think>why</think>x"}, {"content": "<think>why</think>x"}),
        ({"content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "x"}, "y"]},
         {"content": "xy", "reasoning": "why"}),
        ({"content": [{"type": "tool_use", "id": "u", "name": "f", "input": {"a": 1}}]},
         {"content": "", "tool_calls": [{"id": "u", "name": "f", "arguments": '{"a": 1}'}]}),
        ({"content": "x", "train": False}, {"content": "x", "weight": 0}),
        ({"content": "x", "weight": 1.0, "loss": True}, {"content": "x", "weight": 1}),
        ({"content": "x", "weight": None, "name": "ann", "tool_calls": None}, {"content": "x", "name": "ann"}),
    ],
)  # fmt: skip
def test_a_turn_is_read_in_every_spelling(turn: dict[str, Any], wanted: dict[str, Any]) -> None:
    row = parse_row({"messages": [ASK, {"role": "assistant", **turn}]})
    assert row.messages[1] == {"role": "assistant", **wanted}
    assert row.unread == ()


def test_reasoning_is_found_in_its_own_field_and_in_the_text() -> None:
    row = parse_row({"messages": [ASK, {"role": "assistant", "content": "<think>b</think>c", "reasoning": "a"}]})
    assert reasoning_of(row.messages[1]) == "a\nb"
    assert reasoning_of(SAY) == ""


@pytest.mark.parametrize(
    ("turn", "reason"),
    [
        ({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "part 1 is of the type 'image_url'"),
        ({"content": [{"type": "input_audio"}]}, "'input_audio', and only text"),
        ({"content": [{"image": "a.png"}]}, "has 'image' and no text"),
        ({"content": [3]}, "part 1 is a number"),
        ({"content": [{"type": "text", "text": None}]}, "text is missing"),
        ({"content": "x", "weight": 2}, "weight is 2, not a number from 0 to 1"),
        ({"content": "x", "train": "yes"}, "train is 'yes'"),
        ({"content": "x", "weight": 0, "train": True}, "weight and train disagree"),
        ({"content": "x", "reasoning": "a", "thinking": "b"}, "hold different reasoning"),
        ({"content": "x", "reasoning": ["a"]}, "reasoning is a list"),
        ({"content": None, "tool_calls": [{"type": "custom", "name": "f"}]}, "type 'custom'"),
        ({"content": None, "tool_calls": [{"arguments": "x"}]}, "its name is missing"),
        ({"content": None, "tool_calls": "call f"}, "tool_calls is text"),
        ({"content": None, "tool_calls": {}}, "tool_calls is an object"),
        ({"content": None, "tool_calls": []}, "content is missing"),
        ({"content": "x", "name": ["ann"]}, "name is a list"),
    ],
)
def test_what_a_turn_holds_and_cannot_be_used_is_refused(turn: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRow, match=reason):
        parse_row({"messages": [ASK, {"role": "assistant", **turn}]})


def test_keys_that_are_not_read_are_named() -> None:
    call = {**CALL, "index": 0, "function": {**CALL["function"], "strict": True}}
    parts = [{"type": "text", "text": "x", "cache_control": {"type": "a"}}]
    answer = {"role": "assistant", "content": parts, "refusal": "no", "audio": None, "tool_calls": [call]}
    row = parse_row({"messages": [ASK, answer], "source": "web", "id": "7"})
    assert row.unread == (
        "messages[].content[].cache_control",
        "messages[].refusal",
        "messages[].tool_calls[].function.strict",
        "messages[].tool_calls[].index",
        "source",
    )
    assert row.meta == {"source": "web", "id": "7"}


@pytest.mark.parametrize(
    ("record", "weight", "trained"),
    [
        ({"messages": [ASK, {**SAY, "weight": 0}]}, None, ()),
        ({"messages": [ASK, SAY], "weight": 0}, 0, ()),
        ({"messages": [ASK, SAY], "train": False}, 0, ()),
        ({"messages": [ASK, SAY], "sample_weight": 0.0}, 0, ()),
        ({"messages": [ASK, SAY], "weight": 2.5}, 2.5, (1,)),
        ({"messages": [ASK, SAY], "loss": 1.25}, None, (1,)),
        ({"messages": [ASK, {**SAY, "weight": 0}, ASK, SAY]}, None, (3,)),
        ({"messages": [ASK, SAY, {**ASK, "train": True}, SAY]}, None, (1, 2, 3)),
    ],
)
def test_a_row_without_a_turn_that_carries_loss_is_left_out_with_the_reason(
    tmp_path: Path, record: dict[str, Any], weight: float | None, trained: tuple[int, ...]
) -> None:
    row = parse_row(record)
    assert (row.weight, loss_turns(row)) == (weight, trained)
    write_rows(tmp_path / "rows.jsonl", [row])
    (found,) = read_rows(tmp_path / "rows.jsonl")
    assert found == row if trained else isinstance(found, LeftOut) and "no turn of it carries loss" in found.reason
    assert require_rows(tmp_path / "rows.jsonl", reading=Reading(loss="all")) == [row]


def test_tools_are_kept_in_every_spelling() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    base = {"messages": [ASK, SAY]}
    assert parse_row({**base, "tools": [tool]}).tools == [tool]
    assert parse_row({**base, "tools": '[{"type": "function", "function": {"name": "f"}}]'}).tools == [tool]
    assert parse_row({**base, "functions": [{"name": "f"}]}).tools == [tool]
    assert parse_row({**base, "tools": "call f(x) for x"}).tools == "call f(x) for x"
    assert parse_row({**base, "tools": []}) == parse_row({**base, "tools": ""}) == parse_row(base)
    with pytest.raises(UnreadableRow, match="tools is an object"):
        parse_row({**base, "tools": {"a": 1}})
    with pytest.raises(UnreadableRow, match="hold different tools"):
        parse_row({**base, "tools": [tool], "functions": [{"name": "g"}]})
