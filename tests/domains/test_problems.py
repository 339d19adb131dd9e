"""Numbers as people write them, and files of word problems."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.problems import Problem, parse_number, problems_digest, read_problems, symbolic_problems
from undertow.errors import InputError


@pytest.mark.parametrize(
    "text", ["1,000", "1000", "1000.0", " 1000. ", "$1,000", "1000.00", "+1000", "2000/2", "1000%"]
)
def test_one_number_in_many_spellings(text: str) -> None:
    assert parse_number(text) == 1000


@pytest.mark.parametrize(
    ("text", "value"),
    [("-3", Fraction(-3)), ("$-2.50", Fraction(-5, 2)), ("-$2.5", Fraction(-5, 2)), (".5", Fraction(1, 2))],
)
def test_signs_and_decimals(text: str, value: Fraction) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text", ["", "x", "1,00", "12 apples", "--3", "-$-3", "1/0", "3.", "1e9", "1" * 41, "٣", "$", "/2"]
)
def test_what_is_no_number(text: str) -> None:
    # A full stop after a number ends the sentence.
    assert (parse_number(text) is None) == (text != "3.")


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_none(text: str) -> None:
    assert isinstance(parse_number(text), Fraction | None)


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1000))
def test_a_fraction_is_read_back(value: Fraction) -> None:
    assert parse_number(str(value)) == value


def test_a_file_is_read_in_both_layouts(tmp_path: Path) -> None:
    records = [{"question": "One  and\ntwo?", "answer": "1 + 2 = 3\n#### 3"}, {"question": "Half of 7?", "answer": 3.5}]
    lines, whole = tmp_path / "a.jsonl", tmp_path / "a.json"
    lines.write_text("\n\n".join(map(json.dumps, records)), encoding="utf-8")
    whole.write_text(json.dumps(records, indent=1), encoding="utf-8")
    expected = (Problem("One and two?", Fraction(3)), Problem("Half of 7?", Fraction(7, 2)))
    assert read_problems(lines) == read_problems(whole) == expected
    assert problems_digest(expected) != problems_digest(expected[:1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no problem"),
        ('{"question": "a?", "answer": "1"}\n{"question": "b?"', "line 2: is no JSON"),
        ('{"question": "a?", "answer": "many"}', "line 1: has an answer that is no number"),
        ('{"question": "a?"}', "line 1: has no question and answer"),
        ('{"question": " ", "answer": "1"}', "line 1: has an empty question"),
        ("[1]", "entry 1: has no question and answer"),
        ("[", "is no JSON"),
        ('{"question": "a?", "answer": "1"}\n{"question": "a?", "answer": "2"}', "line 2: asks what an earlier"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_problems(path)


def test_a_file_that_is_absent_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_problems(tmp_path / "none.jsonl")
    (tmp_path / "x").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8 at byte 1"):
        read_problems(tmp_path / "x")


def test_templates_give_distinct_problems_and_always_the_same() -> None:
    pytest.importorskip("reasoning_gym")
    problems = symbolic_problems(200)
    assert len(problems) > 150
    assert len({each.question for each in problems}) == len(problems)
    symbolic_problems.cache_clear()
    assert symbolic_problems(200) == problems
