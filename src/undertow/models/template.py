"""What a chat template reads beside role and content, found out by rendering; and turns as it wants them.

    fields = fields_of(tokenizer, "hf/model")
    in_fields(row.messages, fields)     turns with `reasoning_content` and `tool_calls`, where the template reads them

What a template does not read goes as text (`undertow.data.rows.turn_text`). Conversations of role and content alone are
left as they are. The module knows templates and turns; it knows no tokens (`spans` does).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from undertow.data.rows import Message, turn_text
from undertow.data.strict_json import load_json
from undertow.models.ending import RefusedConversationError, render

PLAIN: Final = (
    "{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}Assistant: {{ message['content'] }}{{ eos_token }}"
    "{% elif message['role'] == 'system' %}{{ message['content'] }}"
    "{% else %}User: {{ message['content'] }}{% endif %}{{ '\\n\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}Assistant: {% endif %}"
)
"""Stands in where a tokenizer has no template: what base models are often asked with."""

_MARK: Final = "Marked7q"
_ASK: Final = {"role": "user", "content": "Question7q"}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": _MARK,
        "description": "d",
        "parameters": {"type": "object", "properties": {"key": {"type": "string", "description": "d"}}},
    },
}


@dataclass(frozen=True)
class Fields:
    """What a template reads beside role and content."""

    reasoning: bool = False
    """`reasoning_content`, or `thinking`, which transformers makes of it."""
    calls: Literal["text", "object"] | None = None
    """`tool_calls`, and whether their arguments are to be JSON text or an object; None: it does not read them."""
    tools: bool = False
    """The tools that are offered."""
    opening: bool = False
    """It puts a system prompt of its own before a conversation without one."""
    plain: bool = False
    """It is `PLAIN`, because the tokenizer has none."""


def fields_of(tokenizer: Any, name: str) -> Fields:
    """Find out what a template reads: what is in a field stands in its text, or it does not.

    Args:
        tokenizer: With a chat template.
        name: The model's Undertow name.
    """

    def shows(turns: Sequence[Any], wanted: str, **how: Any) -> bool:
        try:
            return wanted in str(render(tokenizer, turns, name, tokenize=False, **how))
        except RefusedConversationError:
            return False

    def called(arguments: object) -> list[Any]:
        call = {"id": "call7qqqq", "type": "function", "function": {"name": "f", "arguments": arguments}}
        return [_ASK, {"role": "assistant", "content": "", "tool_calls": [call]}]

    thought = {"role": "assistant", "content": "a", "reasoning_content": _MARK}
    pair = f'"key": "{_MARK}"'
    # JSON text is written as it stands. A template that makes JSON of it would quote it once more.
    text, given = shows(called(f"{{{pair}}}"), pair), shows(called({"key": _MARK}), _MARK)
    return Fields(
        reasoning=shows([_ASK, thought], _MARK),
        calls="text" if text else "object" if given else None,
        tools=shows([_ASK], _MARK, tools=[_TOOL]),
        opening=_opens(tokenizer, name),
        plain=tokenizer.chat_template == PLAIN,
    )


def _opens(tokenizer: Any, name: str) -> bool:
    """Tell whether a template begins with more than the header that later questions have, too."""
    answer, again = {"role": "assistant", "content": _MARK}, {"role": "user", "content": "Again7q"}
    try:
        whole = str(render(tokenizer, [_ASK, answer, again], name, tokenize=False))
    except RefusedConversationError:
        return False
    before = whole.partition(_ASK["content"])[0].removeprefix(tokenizer.bos_token or "")
    between = whole.partition(_MARK)[2].partition(again["content"])[0]
    return not between.endswith(before)


def has_fields(messages: Sequence[Message], tools: list[Any] | str | None) -> bool:
    """Tell whether a row holds more than role and content: reasoning, calls, tools, or what a tool said."""
    return tools is not None or any(
        turn["role"] == "tool" or "reasoning" in turn or "tool_calls" in turn for turn in messages
    )


def in_fields(messages: Sequence[Message], fields: Fields) -> list[dict[str, Any]]:
    """Return turns as a template reads them: what it has no field for stands in the content."""
    return [_turn(turn, fields) for turn in messages]


def as_text(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return turns of role and content alone."""
    return [{"role": turn["role"], "content": whole_text(turn_text(turn))} for turn in messages]


def offered(tools: list[Any] | str | None, fields: Fields) -> dict[str, Any]:
    """Return tools as an argument of `apply_chat_template`; nothing where the template cannot show them."""
    if not fields.tools or not isinstance(tools, list) or not tools:
        return {}
    return {"tools": _whole(tools)} if all(isinstance(each, dict) for each in tools) else {}


def _turn(turn: Message, fields: Fields) -> dict[str, Any]:
    calls = _calls(turn, fields)
    left = turn.copy()
    made: dict[str, Any] = {key: value for key, value in turn.items() if key in ("role", "name", "tool_call_id")}
    if fields.reasoning and "reasoning" in left:
        made["reasoning_content"] = left.pop("reasoning")
    if calls:
        made["tool_calls"] = calls
        del left["tool_calls"]
    made["content"] = turn_text(left)
    return cast(dict[str, Any], _whole(made))


def _calls(turn: Message, fields: Fields) -> list[dict[str, Any]]:
    """Return a turn's calls in the template's form; none where it has no such form, or one has other arguments."""
    made: list[dict[str, Any]] = []
    for call in turn.get("tool_calls", ()) if fields.calls else ():
        arguments: object = call["arguments"] or "{}"
        if fields.calls == "object":
            try:
                arguments = load_json(str(arguments).encode("utf-8", "surrogatepass"))
            except (ValueError, RecursionError):
                return []
            if not isinstance(arguments, dict):
                return []
        number = {"id": call["id"]} if "id" in call else {}
        made.append({**number, "type": "function", "function": {"name": call["name"], "arguments": arguments}})
    return made


def whole_text(text: str) -> str:
    """Put the replacement character in the place of halves of characters, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def _whole(value: object) -> Any:
    if isinstance(value, str):
        return whole_text(value)
    return json.loads(whole_text(json.dumps(value, ensure_ascii=False))) if isinstance(value, dict | list) else value


def render_turns(
    tokenizer: Any,
    messages: Sequence[Message],
    name: str,
    fields: Callable[[], Fields],
    tools: list[Any] | str | None,
    **how: Any,
) -> Any:
    """Return a conversation as the template has it, with the fields that it reads where the turns have them.

    A template that refuses the fields, such as two calls in one turn, is given text.

    Args:
        tokenizer: With a chat template.
        messages: The turns.
        name: The model's Undertow name.
        fields: Says what the template reads; called only where there is something to read.
        tools: That were offered.
        **how: As for `apply_chat_template`.

    Raises:
        RefusedConversationError: the template refuses the text, too.
    """
    if has_fields(messages, tools):
        known = fields()
        try:
            return render(tokenizer, in_fields(messages, known), name, **offered(tools, known), **how)
        except RefusedConversationError:
            pass
    return render(tokenizer, as_text(messages), name, **how)
