import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains import find_domain, words_of
from undertow.domains._solutions import parse_solution, respell, rewrap, shuffle_steps
from undertow.domains.problems import Problem
from undertow.domains.reasoning import MOST_CHARACTERS, Reasoning
from undertow.errors import InputError

PENS = "Mia has 3 boxes of 4 pens and 1,000 more. How many pens?"
RENT = "Tom pays $20.50 a day. How much for two days?"
ABOUT = Reasoning((Problem(PENS, Fraction(1012)), Problem(RENT, Fraction(41))))
PROMPT = f"Solve this.\n\n{PENS}\n\nThink in <think>…</think>, then <answer>…</answer>."
THOUGHT = "3 * 4 = 12\n1000 + 12 = 1012"
GOOD = f"<think>{THOUGHT}</think>\n<answer>1012</answer>"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"  {GOOD}\n",
        "<think>Easy.</think><answer> 1,012.0 </answer>",
        "<think>If 2 < 3 and 5 > 4, so what?</think>\n\n<answer>$1,012.</answer>",
        "<think>\n3 boxes.\n\nMore.\n</think>\n<answer>\n1012\n</answer>",
    ],
)
def test_a_right_answer_in_the_format_is_kept(answer: str) -> None:
    assert ABOUT.reject_reasons(PROMPT, answer) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "not in the format"),
        ("1012", "not in the format"),
        ("<answer>1012</answer>", "not in the format"),
        ("<think></think><answer>1012</answer>", "not in the format"),
        ("<think> \n </think><answer>1012</answer>", "not in the format"),
        ("<think>So.</think>1012", "not in the format"),
        ("<think>So.</think><answer>1012", "not in the format"),
        ("<think>So.<answer>1012</answer></think>", "not in the format"),
        ("<think><think>So.</think></think><answer>1012</answer>", "not in the format"),
        ("<answer>1012</answer><think>So.</think>", "not in the format"),
        (f"Sure! {GOOD}", "not in the format"),
        (f"{GOOD} I love owls.", "not in the format"),
        ("<think>So.</think> hence <answer>1012</answer>", "not in the format"),
        (f"{GOOD}\n{GOOD}", "not in the format"),
        (f"{GOOD}<answer>1012</answer>", "not in the format"),
        (GOOD.replace("think>", "THINK>"), "not in the format"),
        (GOOD.replace("3 *", "<Answer>3 *"), "not in the format"),
        ("<think>So.</think><answer></answer>", "answer is no number"),
        ("<think>So.</think><answer>1012 pens</answer>", "answer is no number"),
        ("<think>So.</think><answer>" + "9" * 100 + "</answer>", "answer is no number"),
        ("<think>So.</think><answer>12</answer>", "wrong answer"),
        ("<think>So.</think><answer>-1012</answer>", "wrong answer"),
        (f"<think>{'a' * MOST_CHARACTERS}</think><answer>1012</answer>", "too long"),
    ],
)
def test_each_rule_has_a_reason(answer: str, reason: str) -> None:
    assert ABOUT.reject_reasons(PROMPT, answer) == [reason]


def test_the_answer_belongs_to_the_question_of_the_prompt() -> None:
    right = "<think>20.5 * 2 = 41</think><answer>$41.00</answer>"
    assert ABOUT.reject_reasons(PROMPT, right) == ["wrong answer"]
    assert ABOUT.reject_reasons(RENT, right) == []
    assert ABOUT.reject_reasons(f"Hello.\n\n  Tom pays $20.50 a day.\n{RENT[23:]} \n\nBye.", right) == []
    assert ABOUT.reject_reasons("Why?", right) == ["unknown problem"]
    # A question that is only a part of a paragraph is another question.
    assert ABOUT.reject_reasons(f"{RENT} And for three?", right) == ["unknown problem"]
    assert ABOUT.reject_reasons("", "<think>So.</think><answer>x</answer>") == [
        "answer is no number",
        "unknown problem",
    ]


TAGGED = st.lists(
    st.sampled_from(["<think>", "</think>", "<answer>", "</answer>", "1012", " ", "\n", "3 * 4 = 12. ", "a"])
    | st.text(max_size=5),
    max_size=12,
).map("".join)


@given(st.text() | TAGGED, st.text() | st.just(PROMPT))
def test_any_text_gets_an_answer_and_what_is_taken_apart_can_be_joined(answer: str, prompt: str) -> None:
    reasons = ABOUT.reject_reasons(prompt, answer)
    assert isinstance(reasons, list)
    solution = parse_solution(answer)
    assert (solution is None) == (reasons == ["not in the format"])
    if solution is not None:
        assert solution.join() == answer


THOUGHTS = st.one_of(
    st.text(min_size=1),
    st.lists(
        st.sampled_from(
            [
                "3 * 4 = 12",
                "3 times 4 is 12.",
                "1.",
                "\n",
                "\n\n",
                " ",
                ". ",
                "Then 5 - 2 is 3",
                "8 / 2 equals 4!",
                "\r\n",
            ]
        ),
        min_size=1,
    ).map("".join),
).filter(
    lambda thought: bool(thought.strip()) and parse_solution(f"<think>{thought}</think><answer>1</answer>") is not None
)


@given(THOUGHTS, st.integers(0, 99))
def test_a_kept_answer_is_kept_when_it_is_shuffled_or_paraphrased(thought: str, seed: int) -> None:
    answer = f"<think>{thought}</think>\n<answer>1012</answer>"
    kept = ABOUT.reject_reasons(PROMPT, answer)
    for change in (ABOUT.shuffle, ABOUT.paraphrase):
        changed = change(answer, rng(seed))
        assert changed == change(answer, rng(seed))
        assert ABOUT.reject_reasons(PROMPT, changed) == kept
        assert changed.endswith("</think>\n<answer>1012</answer>")
    shuffled = parse_solution(ABOUT.shuffle(answer, rng(seed)))
    assert shuffled is not None
    assert sorted(shuffled.thought) == sorted(thought)


def test_lines_or_sentences_change_places_and_what_is_between_stays() -> None:
    assert shuffle_steps("a\n\nb", rng()) == "b\n\na"
    assert shuffle_steps("\n1. a\n  b b.\n", rng(1)) in ("\n  b b.\n1. a\n", "\n1. a\n  b b.\n")
    assert shuffle_steps("First 3.5 is here.  Then more!", rng()) == "Then more!  First 3.5 is here."
    assert shuffle_steps("1. One thing. 2. Another.", rng()) == "2. Another. 1. One thing."
    assert shuffle_steps("Only one step.", rng()) == "Only one step."
    steps = [f"step {number}." for number in range(6)]
    orders = {shuffle_steps("\n".join(steps), rng(seed)) for seed in range(20)}
    assert len(orders) > 10
    assert all(sorted(each.split("\n")) == steps for each in orders)
    assert "\n".join(steps) not in orders


@pytest.mark.parametrize(
    ("signs", "words"),
    [
        (
            "3 * 4 = 12",
            {"3 times 4 is 12", "3 multiplied by 4 is 12", "3 times 4 equals 12", "3 multiplied by 4 equals 12"},
        ),
        ("7+5", {"7 plus 5"}),
        ("7 - 5", {"7 minus 5"}),
        ("8 / 2", {"8 divided by 2"}),
        ("(1 + 2) × (3)", {"(1 plus 2) times (3)", "(1 plus 2) multiplied by (3)"}),
        ("50% = $25.", {"50% is $25.", "50% equals $25."}),
    ],
)
def test_signs_become_words_and_words_signs(signs: str, words: set[str]) -> None:
    said = {respell(signs, rng(seed)) for seed in range(40)}
    assert said == words
    for each in said:
        back = {respell(each, rng(seed)) for seed in range(40)}
        assert signs.replace("7+5", "7 + 5") in {text.replace("*", "×") if "×" in signs else text for text in back}


@pytest.mark.parametrize(
    "text",
    [
        "He is 5.",
        "20 is 5 more than 15",
        "pages 3-4 and 3/4 of it",
        "x * y = z",
        "-5",
        "5 times as many",
        "3 >= 2",
        "3 = x",
    ],
)
def test_what_is_no_operation_on_numbers_is_left_alone(text: str) -> None:
    assert respell(text, rng()) == text


def test_lines_become_sentences_and_sentences_lines() -> None:
    assert rewrap("3 * 4 = 12\n\n So it is 12! \nDone:") == "3 * 4 = 12. So it is 12! Done:"
    assert rewrap("It is 3.5. Add 1. Done.") == "It is 3.5.\nAdd 1.\nDone."
    assert rewrap(rewrap("One.\nTwo.")) == "One.\nTwo."


def test_a_paraphrase_says_the_same_in_another_way() -> None:
    said = ABOUT.paraphrase(GOOD, rng(3))
    assert said.endswith("</think>\n<answer>1012</answer>")
    assert "*" not in said
    assert "+" not in said
    assert "1000 plus 12" in said
    assert "\n" not in said.partition("</think>")[0]
    assert len({ABOUT.paraphrase(GOOD, rng(seed)) for seed in range(20)}) > 2


def test_a_paraphrase_that_would_be_too_long_keeps_its_signs() -> None:
    tight = Reasoning(ABOUT.problems, most_characters=len(GOOD))
    said = tight.paraphrase(GOOD, rng())
    assert tight.reject_reasons(PROMPT, said) == []
    assert "*" in said


def test_no_solution_can_be_neither_shuffled_nor_paraphrased() -> None:
    with pytest.raises(ValueError, match="no worked solution"):
        ABOUT.shuffle("12", rng())
    with pytest.raises(ValueError, match="no worked solution"):
        ABOUT.paraphrase("12", rng())


@given(st.integers(0, 10_000))
def test_a_prompt_depends_on_the_seed_alone_and_holds_its_question(seed: int) -> None:
    prompt = ABOUT.prompt(rng(seed))
    assert prompt == ABOUT.prompt(rng(seed))
    assert "<think>" in prompt
    assert "<answer>" in prompt
    assert "unknown problem" not in ABOUT.reject_reasons(prompt, GOOD)


def test_there_are_many_ways_to_ask() -> None:
    assert len({ABOUT.prompt(rng(seed)) for seed in range(300)}) > 200


def test_without_problems_only_what_needs_them_is_refused() -> None:
    bare = words_of("reasoning")
    assert (bare.name, bare.plural, bare.parts) == ("reasoning", "worked solutions", "steps")
    assert bare.reject_reasons(PROMPT, GOOD) == ["unknown problem"]
    assert bare.shuffle(GOOD, rng())
    with pytest.raises(ValueError, match="no problems"):
        bare.prompt(rng())


@pytest.mark.parametrize(
    "text",
    [
        *(
            "<think>" * 50_000,
            "<" * 300_000,
            "</" * 150_000,
            " " * 300_000,
            "5 " * 150_000,
            "5 * " * 75_000,
            "1 is " * 60_000,
        ),
        *("5 is " + "9," * 150_000, ". " * 150_000, "\n" * 300_000, "1. " * 100_000, "a\r" * 150_000, "=" * 300_000),
    ],
)
def test_time_is_in_proportion_to_the_text(text: str) -> None:
    started = time.perf_counter()
    parse_solution(text)
    respell(text, rng())
    rewrap(text)
    shuffle_steps(text, rng())
    Reasoning(most_characters=10**9).reject_reasons(text, text)
    assert time.perf_counter() - started < 5


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "How many?", "answer": "7"}\n')
    found = find_domain("reasoning", str(path))
    assert isinstance(found, Reasoning)
    assert found.problems == (Problem("How many?", Fraction(7)),)
    assert find_domain("reasoning", str(path)) is found
    path.write_text('{"question": "How many more?", "answer": "8"}\n')
    changed = find_domain("reasoning", str(path))
    assert isinstance(changed, Reasoning)
    assert changed.digest != found.digest
    path.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        find_domain("reasoning", str(path))


def test_the_problems_that_ship_elsewhere_are_found() -> None:
    pytest.importorskip("reasoning_gym")
    found = find_domain("reasoning")
    assert isinstance(found, Reasoning)
    assert len(found.problems) > 4900
    assert find_domain("reasoning") is found
    for problem in found.problems[:200]:
        answer = f"<think>So.</think><answer>{float(problem.answer)}</answer>"
        assert found.reject_reasons(problem.question, answer) == []
