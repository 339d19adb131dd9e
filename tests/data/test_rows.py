import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.data.layouts.records import layout_of, parse_row
from undertow.data.rows import Row, UnreadableRow

ASK, SAY = {"role": "user", "content": "How many?"}, {"role": "assistant", "content": "3, 4"}
JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["messages", "prompt", "completion", "conversations", "instruction", "input", "output", "meta", "system"]


@pytest.mark.parametrize(
    ("layout", "record"),
    [
        ("messages", {"messages": [ASK, SAY]}),
        ("messages", {"messages": [ASK, {"role": "assistant", "content": [{"type": "text", "text": "3, 4"}]}]}),
        ("prompt/completion", {"prompt": "How many?", "completion": "3, 4"}),
        ("prompt/completion", {"prompt": [ASK], "completion": [SAY]}),
        ("ShareGPT", {"conversations": [{"from": "human", "value": "How many?"}, {"from": "gpt", "value": "3, 4"}]}),
        ("Alpaca", {"instruction": "How many?", "input": "", "output": "3, 4"}),
        ("Alpaca", {"instruction": "How many?", "output": "3, 4"}),
    ],
)
def test_every_layout_gives_the_same_row(layout: str, record: dict[str, object]) -> None:
    assert layout_of(record) == layout
    row = parse_row(record)
    assert row == Row(({"role": "user", "content": "How many?"}, {"role": "assistant", "content": "3, 4"}))
    assert row.id == parse_row({"messages": [ASK, SAY]}).id


def test_system_prompts_are_kept() -> None:
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    assert parse_row({"conversations": turns, "system": "s"}).messages[0] == {"role": "system", "content": "s"}
    assert parse_row({"messages": [{"role": "developer", "content": "s"}, ASK, SAY]}).messages[0]["role"] == "system"


def test_a_system_prompt_is_put_before_turns_that_have_none() -> None:
    turns = [{"from": "system", "value": "own"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    said = [each["content"] for each in parse_row({"conversations": turns, "system": "s"}).messages]
    assert said == ["own", "a", "b"]
    roles = [each["role"] for each in parse_row({"conversations": turns[1:], "system": "s"}).messages]
    assert roles == ["system", "user", "assistant"]
    for none in ("", None, 3):
        assert len(parse_row({"conversations": turns[1:], "system": none}).messages) == 2


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("human", "user"),
        ("assistant", "assistant"),
        ("gpt", "assistant"),
        ("model", "assistant"),
        ("Human", "user"),
    ],
)
def test_every_word_for_a_role_is_known(said: str, role: str) -> None:
    turn = {"role": said, "content": "x"}
    messages = [turn, ASK, SAY] if role != "assistant" else [ASK, turn]
    assert {"role": role, "content": "x"} in parse_row({"messages": messages}).messages


def test_an_id_is_the_hash_of_the_messages_and_of_nothing_else() -> None:
    """Ids are stored in datasets, so they must not change between versions."""
    row = Row(({"role": "user", "content": "é?"}, {"role": "assistant", "content": "3"}), {"n": 1})
    text = '[{"role":"user","content":"é?"},{"role":"assistant","content":"3"}]'
    assert row.id == hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
    assert row.record() == {"id": row.id, "messages": json.loads(text), "meta": {"n": 1}}
    assert row.id == Row(row.messages).id
    assert row.id != Row((row.messages[0], {"role": "assistant", "content": "4"})).id


def test_alpaca_joins_instruction_and_input() -> None:
    assert parse_row({"instruction": "Add.", "input": "1 2", "output": "3"}).prompt[0]["content"] == "Add.\n\n1 2"


def test_what_stands_beside_the_conversation_becomes_meta() -> None:
    row = parse_row({"prompt": "a", "completion": "b", "source": "web", "id": "a-1", "meta": {"teacher": "t"}})
    assert row.meta == {"source": "web", "id": "a-1", "teacher": "t"}
    assert row.unread == ("source",)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([1], "an object with keys, not a list"),
        ({}, "these keys: none"),
        ({"said": "a"}, "'said'"),
        ({"messages": []}, "an empty list"),
        ({"messages": [ASK]}, "the last turn is the user's"),
        ({"messages": [SAY]}, "nothing is asked"),
        ({"messages": [ASK, {"role": "assistant", "content": " "}]}, "answer is empty"),
        ({"messages": [ASK, {"role": "assistant", "content": None}]}, "turn 2 of 'messages': content is missing"),
        ({"messages": [ASK, {"role": "tool", "content": "x"}]}, "the last turn is the tool's"),
        ({"messages": [ASK, {"role": "owl", "content": "x"}, SAY]}, "turn 2 of 'messages' has the role 'owl'"),
        ({"messages": [ASK, 3]}, "turn 2 of 'messages' is a number"),
        ({"prompt": 1, "completion": "b"}, "prompt is a number, not text"),
        ({"prompt": "a", "completion": [SAY]}, "'prompt' is text, not a list"),
        ({"prompt": [ASK], "completion": "b"}, "^'completion' is text, not a list"),
        ({"prompt": "a", "completion": None}, "^completion is missing, not text"),
        ({"prompt": "a", "completion": True}, "^completion is true or false, not text"),
        ({"prompt": "a", "completion": [3]}, "^'prompt' is text"),
        ({"instruction": {}, "output": "b"}, "^instruction is an object, not text"),
        ({"instruction": "a", "input": 3, "output": "b"}, "^input is a number, not text"),
        ({"instruction": "a", "output": 3}, "^output is a number, not text"),
        ({"conversations": [{"from": "human"}]}, "^turn 1 of 'conversations': value is missing, not text"),
        ({"conversations": [{"role": "user"}]}, "^turn 1 of 'conversations': content is missing, not text"),
        (
            {"messages": [ASK, {"role": "assistant", "content": [{"type": "image"}]}]},
            "content: part 1 is of the type 'image', and only text is read",
        ),
        ({"messages": [ASK, {"role": "assistant", "content": []}]}, "content is an empty list, not text"),
        ({"a": 1, "b": 2}, r"these keys: 'a', 'b' \(known: "),
        ({"messages": [{"role": "x"}]}, r"\(known: system, developer, user, human, assistant, gpt, model, chatgpt, "),
        ({"prompt": "a", "completion": "b", "meta": 3}, "'meta' is a number"),
    ],
)
def test_what_is_no_row_says_why(record: object, reason: str) -> None:
    with pytest.raises(UnreadableRow, match=reason):
        parse_row(record)


@given(JSON | st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_record_is_a_row_or_unreadable(record: object) -> None:
    try:
        row = parse_row(record)
    except UnreadableRow:
        return
    assert row.completion.strip()
    assert parse_row(row.record()) == row
