"""Which token ends an assistant's turn, and conversations that a template refuses.

The end is what a student is trained to write behind an answer, and what generation stops at. The template says which
token closes a turn; the tokenizer and the generation config say at which one text ends. They are to agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from undertow.errors import InputError, ModelError
from undertow.models.checkpoint import first_line

_ANSWER: Final = "Answer42"
_NEXT: Final = "Question43"


class RefusedConversationError(InputError):
    """A chat template does not take a conversation."""


def render(tokenizer: Any, messages: Sequence[Any], name: str, **how: Any) -> Any:
    """Return a conversation as the model's chat template has it.

    Args:
        tokenizer: The model's.
        messages: Turns with role and content.
        name: The model's Undertow name.
        **how: As for `apply_chat_template`.

    Raises:
        RefusedConversationError: the template raises an error.
    """
    try:
        return tokenizer.apply_chat_template([dict(each) for each in messages], **how)
    except MemoryError:
        raise
    except Exception as error:  # a template raises what it likes
        raise RefusedConversationError(
            f"the chat template refuses this conversation ({first_line(error)})",
            name,
            "Leave the row out (--skip-broken), or bring its turns into the order that the template wants.",
        ) from error


def end_of_turn(tokenizer: Any, generation: Any, name: str) -> int:
    """Find the token that ends an answer, by rendering a conversation.

    Args:
        tokenizer: The model's.
        generation: The model's generation config, or None.
        name: The model's Undertow name.

    Raises:
        ModelError: the template cannot be used, closes no turn, or the three do not agree.
    """
    asked = [{"role": "user", "content": "a"}, {"role": "assistant", "content": _ANSWER}]
    try:
        # Some templates close a turn only where another follows.
        last, between = (
            str(tokenizer.apply_chat_template(turns, tokenize=False))
            for turns in (asked, [*asked, {"role": "user", "content": _NEXT}])
        )
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(
            f"its chat template cannot be used: {first_line(error)}",
            name,
            "Mend chat_template.jinja, or take the model from where it was published.",
        ) from error
    if _ANSWER not in last:
        raise ModelError(
            "its chat template does not show an assistant's answer",
            name,
            "Mend chat_template.jinja, or take the model from where it was published.",
        )
    ends = _ids(tokenizer.eos_token_id) | _ids(getattr(generation, "eos_token_id", None))
    special = _special(tokenizer)
    closing = [token for token in _after(tokenizer, last, "") if token in special]
    opened = [token for token in _after(tokenizer, between, _NEXT) if token in special]
    for token in (*closing, *opened):
        if token in ends:
            return token
    if not closing:
        raise ModelError(
            "no special token closes an assistant's turn in its chat template, so nobody can tell where an answer ends",
            name,
            "End assistant turns with {{ eos_token }} in chat_template.jinja, as the model was trained.",
        )
    closes = _text(tokenizer, closing[0])
    said = " or ".join(sorted(_text(tokenizer, each) for each in ends)) or "nowhere"
    raise ModelError(
        f"its chat template ends an answer with {closes}, its tokenizer and generation config with {said}",
        name,
        f"Set eos_token in tokenizer_config.json, or eos_token_id in generation_config.json, to {closes} if the model "
        "was trained so, or mend the template.",
    )


def _after(tokenizer: Any, text: str, until: str) -> list[int]:
    """Return the tokens behind the answer, up to the next turn's words."""
    tail = text.partition(_ANSWER)[2]
    if until:
        tail = tail.partition(until)[0]
    return [int(token) for token in tokenizer.encode(tail, add_special_tokens=False)]


def _special(tokenizer: Any) -> set[int]:
    added = getattr(tokenizer, "added_tokens_decoder", {})
    return {*map(int, tokenizer.all_special_ids), *(int(at) for at, each in added.items() if each.special)}


def _ids(value: Any) -> set[int]:
    if value is None:
        return set()
    return {int(value)} if isinstance(value, int) else {int(each) for each in value}


def _text(tokenizer: Any, token: int) -> str:
    return repr(str(tokenizer.convert_ids_to_tokens(token)))
