"""Pieces of a text, one a token."""

from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.pieces import pieces_of


def of_bytes(tokens: list[int]) -> str:
    """Decode a tokenizer whose tokens are bytes, which splits most characters that are not English."""
    return bytes(tokens).decode("utf-8", "replace")


def of_words(tokens: list[int]) -> str:
    """Decode a tokenizer that leaves out the space at the start of a text."""
    return "".join(f" {token}" for token in tokens)[1:]


@given(st.text())
def test_together_they_are_the_text_and_none_is_half_a_character(text: str) -> None:
    tokens = list(text.encode("utf-8", "replace"))
    pieces = pieces_of(tokens, of_bytes)
    assert len(pieces) == len(tokens)
    assert "".join(pieces) == of_bytes(tokens)
    assert ("�" in "".join(pieces)) is ("�" in of_bytes(tokens))


@given(st.lists(st.integers(0, 99)))
def test_spaces_between_words_are_kept(tokens: list[int]) -> None:
    assert "".join(pieces_of(tokens, of_words)) == of_words(tokens)


def test_a_character_stands_at_its_last_token() -> None:
    assert pieces_of(list("aé🦉".encode()), of_bytes) == ["a", "", "é", "", "", "", "🦉"]
