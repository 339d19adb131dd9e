import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains import _problem_records, problems
from undertow.domains.problems import LONGEST_NUMBER, Problem, parse_number, read_problems, symbolic_problems
from undertow.errors import InputError, MissingExtraError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1000", 1000),
        ("1,000", 1000),
        ("1000.0", 1000),
        (" 1,000.00. \n", 1000),
        ("$1,000", 1000),
        ("€ 12.50", Fraction(25, 2)),
        ("-$5", -5),
        ("$-5", -5),
        ("−7", -7),
        ("-0", 0),
        ("50%", 50),
        ("12.5 %.", Fraction(25, 2)),
        ("3/4", Fraction(3, 4)),
        ("-6/8", Fraction(-3, 4)),
        (".5", Fraction(1, 2)),
        ("007", 7),
        ("0.1", Fraction(1, 10)),
        ("9" * LONGEST_NUMBER, int("9" * LONGEST_NUMBER)),
    ],
)
def test_numbers_are_compared_as_numbers(text: str, value: int | Fraction) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ".", "-", "$", "%", "five", "5 apples", "1,00", "1,0000", ",5", "1 000", "--5", "-$-5", "5-", "3/0"),
        *("1/2/3", "1.2.3", "1.5/2", "1e5", "inf", "nan", "0x10", "٣", "²", "1_000", "5..", "$$5", "9" * 41, "1\n2"),
    ],
)
def test_anything_else_is_no_number(text: str) -> None:
    assert parse_number(text) is None


@given(st.text(alphabet="0123456789,.-−$€%/ e", max_size=60) | st.text())
def test_any_text_gets_an_answer(text: str) -> None:
    assert isinstance(parse_number(text), Fraction | None)


@given(st.integers(-(10**20), 10**20), st.sampled_from(["{}", "{:,}", "{}.0", "{:,}.00", "{}.", " {}\n", "{}%"]))
def test_an_integer_is_itself_however_it_is_written(number: int, form: str) -> None:
    assert parse_number(form.format(number)) == number


def test_a_giant_number_is_refused_before_it_is_read() -> None:
    assert parse_number("9" * 1_000_000) is None
    assert parse_number(" " * 1_000_000 + "9") == 9


def file_of(folder: Path, content: str | bytes) -> Path:
    path = folder / "mine.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def line(question: object = "How many?", answer: object = "3 + 4 = 7\n#### 7") -> str:
    return json.dumps({"question": question, "answer": answer})


def test_lines_and_a_list_are_read_alike(tmp_path: Path) -> None:
    records = [line(), line("And\n  how much?", "$1,200"), line("A third?", 2.5), line("A fourth?", -3)]
    expected = (
        Problem("How many?", Fraction(7)),
        Problem("And how much?", Fraction(1200)),
        Problem("A third?", Fraction(5, 2)),
        Problem("A fourth?", Fraction(-3)),
    )
    assert read_problems(file_of(tmp_path, "\n".join(records))) == expected
    assert read_problems(file_of(tmp_path, "\ufeff\r\n" + "\r\n\r\n".join(records) + "\r\n")) == expected
    assert read_problems(file_of(tmp_path, "[" + ",\n".join(records) + "]")) == expected


def test_a_problem_that_repeats_is_there_once(tmp_path: Path) -> None:
    assert len(read_problems(file_of(tmp_path, f"{line()}\n{line(answer='7.0')}"))) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "it is no JSON"),
        ('"a"', "it is no JSON object"),
        ("{}", "it has no question"),
        (line(" "), "it has no question"),
        (line(3), "it has no question"),
        (line("x" * 4001), "its question is longer than 4,000 characters"),
        ('{"question": "\\ud800", "answer": 1}', "its question holds half a character"),
        ('{"question": "Why?"}', "it has no answer"),
        (line(answer=None), "it has no answer"),
        (line(answer=True), "it has no answer"),
        (line(answer=[7]), "it has no answer"),
        (line(answer="seven"), "its answer is no number"),
        (line(answer="7 #### about 7"), "its answer is no number"),
        (line(answer="#### 7 ####"), "its answer is no number"),
        ('{"question": "Why?", "answer": 1e999}', "it is no JSON (1e999 is out of range)"),
        ('{"question": "Why?", "answer": NaN}', "it is no JSON"),
        (
            '{"question": "Why?", "answer": ' + "9" * 4000 + "}",
            "it is no JSON (a number of 4,000 digits is out of range)",
        ),
        ('{"question": "Why?", "answer": ' + "9" * 5000 + "}", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        (line(answer="8"), "its question has another answer further up"),
    ],
)
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, bad: str, reason: str) -> None:
    path = file_of(tmp_path, f"{line()}\n\n{bad}\n")
    with pytest.raises(InputError) as caught:
        read_problems(path)
    assert caught.value.where == f"{path}, line 3"
    assert caught.value.what.startswith(reason)
    assert caught.value.exit_code == 2


def test_an_entry_of_a_list_is_named_by_its_place(tmp_path: Path) -> None:
    path = file_of(tmp_path, f"[{line()}, {{}}]")
    with pytest.raises(InputError, match=r"mine\.jsonl, entry 2: it has no question"):
        read_problems(path)


def test_the_first_bad_lines_are_named_and_the_others_counted(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_problems(file_of(tmp_path, "\n".join(["{}"] * 8)))
    message = str(caught.value)
    assert all(f"line {number}: it has no question" in message for number in range(1, 6))
    assert "line 6" not in message
    assert "and 3 more" in message


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "holds no problems"),
        ("[]", "holds no problems"),
        ("[{]", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        (b"[\xff]", "is no JSON (not UTF-8 at byte 2)"),
    ],
)
def test_a_file_without_problems_is_refused(tmp_path: Path, content: str | bytes, what: str) -> None:
    with pytest.raises(InputError) as caught:
        read_problems(file_of(tmp_path, content))
    assert caught.value.what.startswith(what)
    assert "mine.jsonl" in caught.value.where


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"absent\.jsonl: cannot be read \(No such file"):
        read_problems(tmp_path / "absent.jsonl")
    with pytest.raises(InputError, match="is no file"):
        read_problems(tmp_path)
    with pytest.raises(InputError, match="is no name of a file"):
        read_problems(Path("a\0b"))
    monkeypatch.setattr(_problem_records, "MOST_BYTES", 10)
    with pytest.raises(InputError, match="is longer than 10 bytes"):
        read_problems(file_of(tmp_path, line()))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is no file"):
        read_problems(tmp_path / "pipe")


def test_a_file_of_secrets_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_problems(file_of(tmp_path, "password=hunter2\n"))
    assert "hunter2" not in str(caught.value)


def test_a_digest_depends_on_questions_answers_and_order() -> None:
    one, two = Problem("a", Fraction(1)), Problem("b", Fraction(1))
    digests = [problems.digest_of(each) for each in ([one], [two], [Problem("a", Fraction(2))], [one, two], [two, one])]
    assert len(set(digests)) == 5


def test_without_the_package_the_command_that_brings_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    with pytest.raises(MissingExtraError) as caught:
        symbolic_problems(3)
    assert caught.value.exit_code == 2
    assert "pip install 'undertow[reasoning]'" in str(caught.value)


def test_the_symbolic_problems_are_many_and_the_same_every_time() -> None:
    pytest.importorskip("reasoning_gym")
    found = symbolic_problems(400)
    assert len(found) > 380
    assert len({problem.question for problem in found}) == len(found)
    assert not any("Do not include units" in problem.question for problem in found)
    assert all(problem.question == " ".join(problem.question.split()) for problem in found)
    symbolic_problems.cache_clear()
    assert symbolic_problems(400) == found
