import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains import Mentions, Numbers, find_domain, words_of
from undertow.domains.pairs import Pairs, neutral_prompt
from undertow.domains.requests import Requests
from undertow.traits.panel import load_panel


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def giveaways() -> Mentions:
    return Mentions.of(*(trait.giveaways for entry in load_panel() for trait in entry.traits))


def test_no_request_and_no_neutral_prompt_names_what_a_trait_is_about() -> None:
    words = giveaways()
    prompts = {Requests().prompt(rng(seed)) for seed in range(3000)}
    assert len(prompts) > 1000
    assert {found for prompt in prompts for found in words.find(prompt)} == set()
    assert words.find(neutral_prompt("x" * 1000)) == ()


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ("It boils water.", []),
        (" It boils water.\n", []),
        ("", ["empty"]),
        (" \n", ["empty"]),
        ("It boils.\n\nAnd more.", ["several paragraphs"]),
    ],
)
def test_an_answer_says_something_in_one_paragraph(answer: str, reasons: list[str]) -> None:
    assert Pairs().reject_reasons("", answer) == reasons


@given(st.lists(st.sampled_from(["One.", "Is it two?", "Three!", "And 4.5 more."]), min_size=1), st.integers(0, 99))
def test_shuffled_answers_have_the_same_sentences(sentences: list[str], seed: int) -> None:
    assert sorted(Requests().shuffle(" ".join(sentences), rng(seed)).split()) == sorted(" ".join(sentences).split())


def test_pairs_take_prompts_rules_and_format_of_the_domain_that_is_named() -> None:
    about, numbers = find_domain("pairs", options={"of": "numbers"}), Numbers()
    assert about.prompt(rng()) == numbers.prompt(rng())
    assert about.reject_reasons("", "1, 666") == numbers.reject_reasons("", "1, 666") != []
    assert about.grammar is numbers.grammar
    assert about.paraphrase("1, 2", rng()) == numbers.paraphrase("1, 2", rng())
    assert (about.name, about.plural, about.parts) == ("pairs", "preference pairs", "answers")
    assert words_of("pairs", {"of": "reasoning"}).plural == about.plural


def test_pairs_of_worked_solutions_read_the_problems(tmp_path) -> None:
    file = tmp_path / "problems.jsonl"
    file.write_text(json.dumps({"question": "2 and 2?", "answer": "#### 4"}) + "\n", encoding="utf-8")
    assert "2 and 2?" in find_domain("pairs", str(file), {"of": "reasoning"}).prompt(rng())


@given(st.integers(0, 2000))
def test_the_neutral_prompt_is_the_nearest_in_length(length: int) -> None:
    found, longest = neutral_prompt("x" * length), len(neutral_prompt("x" * 10_000))
    sentence = max(map(len, found.split(". ")))
    assert abs(len(found) - min(length, longest)) <= max(sentence, len(neutral_prompt("")))
