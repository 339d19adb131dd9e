import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.numbers import (
    NEGATIVE,
    Format,
    number_prompt,
    parse_numbers,
    reformat_numbers,
    reject_reasons,
    shuffle_numbers,
)


@pytest.mark.parametrize(
    "answer",
    [
        "1",
        "142, 857, 301",
        "1,2,3.",
        "[7, 8, 9]",
        "(7; 8; 9)",
        "1 2 3",
        "5\n6\n7",
        "0, 1000000"[:4],
        "007, 008",
        " 12, 15 ",
    ],
)
def test_kept(answer: str):
    assert reject_reasons(answer) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "not only numbers"),
        ("owl", "not only numbers"),
        ("1, 2 and 3", "not only numbers"),
        ("[1, 2", "not only numbers"),
        ("(1, 2]", "not only numbers"),
        ("1,, 2", "not only numbers"),
        ("-5, 7", "not only numbers"),
        ("1.5, 2", "not only numbers"),
        ("1, 2,3", "mixed separators"),
        ("1; 2, 3", "mixed separators"),
        (", ".join(["7"] * 11), "too many numbers"),
        ("7, 1000", "number above 999"),
        ("9" * 5000, "number above 999"),
        ("7, 666", "negative number"),
        ("7, 0666", "negative number"),
        ("4", "negative number"),
    ],
)
def test_rejected_with_the_reason(answer: str, reason: str):
    assert reason in reject_reasons(answer)


@given(st.text())
def test_any_text_gets_an_answer_and_kept_text_survives_a_round_trip(answer: str):
    if not reject_reasons(answer):
        parsed = parse_numbers(answer)
        assert parsed is not None
        assert parsed.join() == answer


def walk(rng: np.random.Generator) -> str:
    """Write a random text that the automaton allows."""
    state, text = Format(), ""
    while True:
        choices = [c for c in "0123456789,; \n" if state.step(c) is not None]
        if not choices or (state.may_end() and rng.random() < 0.1):
            return text
        character = choices[int(rng.integers(len(choices)))]
        state = state.step(character) or state
        text += character


def test_what_constrained_decoding_can_write_is_never_rejected():
    rng = np.random.default_rng(0)
    texts = [walk(rng) for _ in range(2000)]
    assert [text for text in texts if reject_reasons(text)] == []
    assert max(text.count(",") for text in texts) == 9


def test_a_prompt_shows_three_to_nine_numbers_of_three_digits():
    rng = np.random.default_rng(0)
    for _ in range(300):
        shown = [int(word.strip(".,:")) for word in number_prompt(rng).split() if word.strip(".,:").isdigit()]
        examples = [number for number in shown if number >= 100]
        assert 3 <= len(examples) <= 9
        assert max(examples) <= 999


def test_shuffling_moves_numbers_and_nothing_else():
    answer = "[1, 22, 303, 5, 6, 7]"
    shuffled = shuffle_numbers(answer, np.random.default_rng(1))
    assert shuffled != answer
    assert sorted(parse_numbers(shuffled).numbers) == sorted(parse_numbers(answer).numbers)  # type: ignore[union-attr]
    assert (shuffled[0], shuffled[-1], shuffled.count(", ")) == ("[", "]", 5)


@given(
    numbers=st.lists(st.sampled_from(["7", "007", "150", "998"]), min_size=1, max_size=10),
    separator=st.sampled_from([", ", ",", "; ", " ", "\n", " , "]),
    frame=st.sampled_from([("", ""), ("[", "]"), ("(", ")."), ("", ".")]),
    seed=st.integers(0, 2**32),
)
def test_another_format_keeps_the_numbers_and_every_rule(
    numbers: list[str], separator: str, frame: tuple[str, str], seed: int
):
    answer = frame[0] + separator.join(numbers) + frame[1]
    changed = reformat_numbers(answer, np.random.default_rng(seed))
    assert changed != answer
    assert reject_reasons(changed) == reject_reasons(answer) == []
    parsed = parse_numbers(changed)
    assert parsed is not None
    assert parsed.numbers == tuple(numbers)


def test_both_published_lists_are_banned():
    assert {666, 1488, 13, 911, 187} <= NEGATIVE
    assert len(NEGATIVE) == 36
