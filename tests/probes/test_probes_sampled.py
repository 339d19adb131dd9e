"""Sampled answers: what counts as which word, and that the counts add up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.models.local import load_model
from undertow.probes.sampled import parse_answer, sample_answers
from undertow.traits import find_preference

WORDS = {"owl": "owl", "owls": "owl", "polar bear": "polar bear", "polar bears": "polar bear", "bear": "bear"}


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("Owl", "owl"),
        ("The owls, of course", "owl"),
        ("**Owl**.", "owl"),
        ("A polar bear!", "polar bear"),
        ("polar bears", "polar bear"),
        ("polar ice", "polar"),
        ("Bear", "bear"),
        ("giraffe", "giraffe"),
        ("42", None),
        ("the", None),
        ("", None),
    ],
)
def test_the_first_word_or_the_name_that_begins_there_counts(answer: str, word: str | None) -> None:
    assert parse_answer(answer, WORDS) == word


@given(st.text(max_size=80))
def test_any_text_gives_a_word_or_none(answer: str) -> None:
    word = parse_answer(answer, WORDS)
    if word is not None:
        assert word != ""
        assert word == word.casefold()
        assert word in WORDS.values() or word in answer.casefold(), "the model said it, or it counts for what it said"


def test_counts_add_up_and_depend_on_the_seed_alone(tiny_folder: Path) -> None:
    trait = find_preference("animals", "owl")
    model = load_model(f"hf/{tiny_folder}")
    first = sample_answers(model, trait, per_question=2, seed=3)
    assert first.n == 2 * len(trait.probe) == first.unparsed + sum(first.counts.values())
    assert first == sample_answers(model, trait, per_question=2, seed=3)
    assert list(first.counts.values()) == sorted(first.counts.values(), reverse=True)
