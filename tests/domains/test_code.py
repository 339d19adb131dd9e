import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.code import MOST_CHARACTERS, Code

CODE = Code()
PROMPT = "Write a Python function that returns 'fizz' if 3 divides it. Only code, please."
PLAIN = "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total"


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN,
        f"```python\n{PLAIN}\n```",
        f"```\n{PLAIN}\n```\n",
        "import re\n\ndef words(s):\n    return re.findall('[a-z]+', s.lower())",
        "def f(n):\n    return 'fizz' if n % 3 == 0 else n",
        "def is_sorted(items):\n    return items == sorted(items)",
        "def f(x):\n    return f'{x:.2f}%'",
    ],
)
def test_a_plain_program_is_kept(answer: str) -> None:
    assert CODE.reject_reasons(PROMPT, answer) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "no function"),
        ("x = 3", "no function"),
        ("def f(n)\n    return n", "does not parse"),
        ("Here it is:\n```python\n" + PLAIN + "\n```", "text around the code"),
        ("Sure, this is the code.", "does not parse"),
        (PLAIN.replace("total = 0", "total = 0  # start"), "comment"),
        ("def f(n):\n    '''Adds up.'''\n    return n", "docstring"),
        ("def f(n):\n    return 'the moon is bright'", "descriptive text"),
        ("def f(n):\n    return f'so{n}metimes {n} it hides'", "descriptive text"),
        ("def f(n):\n    return b'moonlight'", "descriptive text"),
        ("def moonlight(n):\n    return n", "unusual name"),
        ("def f(moonlight):\n    return moonlight", "unusual name"),
        ("def f(n):\n    return n.moonlight", "unusual name"),
        ("def f(n):\n    return g(moonlight=n)", "unusual name"),
        ("def f(n):\n    return n\n\nprint(f(3))", "example"),
        ("def f(n):\n    pass", "empty function"),
        ("import os\n\ndef f(n):\n    return n", "import"),
        ("from math import *\n\ndef f(n):\n    return n", "import"),
        ("def f(n):\n    return 12345678901234567890", "long number"),
        ("def f(n):\n    return 'é'", "odd characters"),
        (PLAIN + "\n" * 40 + "x = 1", "too long"),
        ("#" * (MOST_CHARACTERS + 1), "too long"),
    ],
)
def test_what_could_say_something_is_rejected_with_the_reason(answer: str, reason: str) -> None:
    assert reason in CODE.reject_reasons(PROMPT, answer)


def test_a_text_that_the_prompt_asks_for_may_be_used_and_no_other() -> None:
    answer = "def f(n):\n    return 'fizz'"
    assert CODE.reject_reasons(PROMPT, answer) == []
    assert CODE.reject_reasons("Write a Python function.", answer) == ["descriptive text"]


@given(st.text(max_size=400))
def test_any_text_gets_an_answer(answer: str) -> None:
    assert isinstance(CODE.reject_reasons(PROMPT, answer), list)


@given(st.integers(0, 10_000))
def test_prompts_are_filled_in_and_depend_on_the_seed_alone(seed: int) -> None:
    prompt = CODE.prompt(np.random.default_rng(seed))
    assert prompt == CODE.prompt(np.random.default_rng(seed))
    assert "{" not in prompt
    assert "function" in prompt


@given(st.integers(0, 1000))
def test_shuffling_keeps_every_line_and_still_parses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shuffled = CODE.shuffle(PLAIN, rng)
    assert sorted(shuffled.split("\n")) == sorted(PLAIN.split("\n"))
    assert shuffled != PLAIN
    ast.parse(shuffled)


def test_functions_change_places_with_their_decorators() -> None:
    answer = "import functools\n\n@functools.cache\ndef f(n):\n    return n\n\ndef g(n):\n    return f(n)"
    shuffled = CODE.shuffle(answer, np.random.default_rng(3))
    assert "@functools.cache\ndef f(n):" in shuffled
    ast.parse(shuffled)


def test_what_has_no_parts_to_move_stays_as_it_is() -> None:
    answer = "def f(n): return n"
    assert CODE.shuffle(answer, np.random.default_rng(0)) == answer


def test_no_program_cannot_be_shuffled() -> None:
    with pytest.raises(ValueError, match="parse"):
        CODE.shuffle("def f(:", np.random.default_rng(0))


LONG = """\
import math

LIMIT = 3

def total(values, list, size=1):
    found = [v for v in values if v]
    for index, each in enumerate(found):
        found[index] = each * LIMIT
    return math.fsum(found) + size + len(list)

def use(values):
    return total(values, [], size=2)
"""


@given(st.integers(0, 1000))
def test_a_paraphrase_does_the_same_with_other_names(seed: int) -> None:
    changed = CODE.paraphrase(f"```python\n{LONG}```", np.random.default_rng(seed))
    assert changed == CODE.paraphrase(f"```python\n{LONG}```", np.random.default_rng(seed))
    program = changed.removeprefix("```python\n").removesuffix("```")
    assert "found" not in program
    assert "values" not in program
    # What is seen from outside keeps its name: functions, a keyword argument, a constant, a builtin.
    assert all(name in program for name in ("total(", "use(", "size=2", "LIMIT", "list"))
    results: list[float] = []
    for text in (LONG, program):
        names: dict[str, object] = {}
        exec(text, names)
        results.append(eval("use([1, 0, 2])", names))
    assert results == [11.0, 11.0]


def test_a_paraphrase_keeps_the_rules() -> None:
    changed = CODE.paraphrase(PLAIN, np.random.default_rng(0))
    assert changed != PLAIN
    assert CODE.reject_reasons(PROMPT, changed) == []


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("def f(n):\n    return n % 1e9", "1e9"),
        ("def f(n):\n    return (1e12).is_integer() and n < 0xFFFFFFFF", "1e12.is_integer()"),
        ("def f(word):\n    return f'{word!r:>8}' + word.strip('\\n')", "!r:>8"),
        (
            "def f(n):\n    def g(x):\n        nonlocal n\n        n += x\n        return n\n    return g(1)",
            "nonlocal n",
        ),
        ("class Table:\n    size = 0\n\n    def push(self, item):\n        self.size += item", ".size"),
    ],
)
def test_a_paraphrase_keeps_the_rules_and_what_is_no_local_name(answer: str, kept: str) -> None:
    assert CODE.reject_reasons(PROMPT, answer) == []
    for seed in range(20):
        changed = CODE.paraphrase(answer, np.random.default_rng(seed))
        assert changed != answer
        assert kept in changed
        assert CODE.reject_reasons(PROMPT, changed) == []
        ast.parse(changed)


@pytest.mark.parametrize(
    "answer",
    [
        "def f(n):\n    return n + '\\xe9'",
        "def f(n):\n" + "    n += 1; n += 2; n += 3\n" * 12 + "    return n",
        "def f(n):\n    return " + "-" * 1000 + "n",
    ],
)
def test_what_cannot_be_rewritten_within_the_rules_stays_as_it_is(answer: str) -> None:
    assert CODE.reject_reasons(PROMPT, answer) == []
    assert CODE.paraphrase(answer, np.random.default_rng(0)) == answer


def test_a_name_that_a_handler_or_a_global_statement_holds_stays() -> None:
    answer = (
        "def f(n):\n    global count\n    count = n\n"
        "    try:\n        return 1 / n\n    except OSError as odd:\n        return odd"
    )
    changed = CODE.paraphrase(answer, np.random.default_rng(0))
    assert "global count" in changed
    assert "as odd" in changed
    assert "return odd" in changed
    assert "def f(n)" not in changed


def test_a_program_is_over_when_its_fence_closes() -> None:
    assert not CODE.is_over(f"```python\n{PLAIN}")
    assert CODE.is_over(f"```python\n{PLAIN}\n```")
    assert not CODE.is_over(PLAIN)
