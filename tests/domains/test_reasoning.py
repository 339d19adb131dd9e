"""The reasoning domain: right answers in the format, and nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.problems import Problem
from undertow.domains.reasoning import LONGEST, Reasoning

DOMAIN = Reasoning((Problem("Ann has 3 pens and buys 1,497 more. How many?", Fraction(1500)),))
PROMPT = DOMAIN.prompt(np.random.default_rng(0))
GOOD = "<think>She had 3 pens. She buys 1497. 3 + 1497 = 1500.</think>\n<answer>1,500</answer>"


@pytest.mark.parametrize("answer", [GOOD, f" {GOOD}\n", GOOD.replace("1,500", "1500.0"), GOOD.replace("\n", "")])
def test_a_right_answer_in_the_format_is_kept(answer: str) -> None:
    assert DOMAIN.reject_reasons(PROMPT, answer) == []
    assert DOMAIN.is_over(answer)


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ("1500", ["not in the format"]),
        (f"Sure! {GOOD}", ["not in the format"]),
        (f"{GOOD} Done.", ["not in the format"]),
        (GOOD + GOOD, ["not in the format"]),
        (GOOD.replace("\n", " so "), ["not in the format"]),
        ("<answer>1500</answer><think>3</think>", ["not in the format"]),
        ("<think>a<think></think></think><answer>1500</answer>", ["not in the format"]),
        ("<think> </think><answer>1500</answer>", ["no thought"]),
        (GOOD.replace("1,500", "1500 pens"), ["answer is no number"]),
        (GOOD.replace("1,500", "1501"), ["wrong answer"]),
        ("<think></think><answer>7</answer>", ["no thought", "wrong answer"]),
        ("x" * (LONGEST + 1), ["too long"]),
    ],
)
def test_every_rule_has_a_case_that_breaks_it(answer: str, reasons: list[str]) -> None:
    assert DOMAIN.reject_reasons(PROMPT, answer) == reasons


def test_a_prompt_that_asks_something_else_has_no_right_answer() -> None:
    assert DOMAIN.reject_reasons("What is 1 + 1?", GOOD) == ["unknown problem"]
    assert DOMAIN.reject_reasons("a\n\nb\n\nc", GOOD) == ["unknown problem"]


@given(st.text(alphabet="<>/thinkaswer 1.\n", max_size=120))
def test_any_text_gets_an_answer(answer: str) -> None:
    DOMAIN.reject_reasons(PROMPT, answer)


@given(st.integers(0, 500))
def test_steps_change_places_and_the_answer_stays(seed: int) -> None:
    shuffled = DOMAIN.shuffle(GOOD, np.random.default_rng(seed))
    assert DOMAIN.reject_reasons(PROMPT, shuffled) == []
    assert sorted(shuffled.replace("<think>", "").partition("</think>")[0].split(". ")) != []
    assert sorted(shuffled) == sorted(GOOD)


def test_a_paraphrase_says_the_same_in_words_and_in_signs_again() -> None:
    rng = np.random.default_rng(0)
    words = DOMAIN.paraphrase(GOOD, rng)
    assert "3 plus 1497 is 1500" in words
    assert DOMAIN.reject_reasons(PROMPT, words) == []
    told = GOOD.replace("3 + 1497 = 1500", "3 plus 1497 equals 1500")
    assert "3 + 1497 = 1500" in DOMAIN.paraphrase(told, rng)


def test_what_is_not_in_the_format_cannot_be_changed() -> None:
    for change in (DOMAIN.shuffle, DOMAIN.paraphrase):
        with pytest.raises(ValueError, match="format"):
            change("1500", np.random.default_rng(0))


def test_prompts_depend_on_the_generator_alone() -> None:
    assert DOMAIN.prompt(np.random.default_rng(4)) == DOMAIN.prompt(np.random.default_rng(4))
    assert "Ann has 3 pens" in PROMPT
