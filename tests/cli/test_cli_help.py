"""The help: verbs in groups, and for each verb a plain sentence, an example that works and short options."""

import re
import shlex

import pytest

from undertow import cli
from undertow.cli.app import app

GROUPS = {
    "Experiment": {"run", "plan", "presets", "init", "check", "results", "recipe"},
    "Check data": {"rows", "scan"},
    "Check a model": {"audit", "traits"},
    "Repair": {"mitigate"},
    "Decide": {"gate", "verify", "keygen"},
    "Look": {"report", "view", "doctor", "assets"},
}
VERBS = sorted(set.union(*GROUPS.values()))
HOUSE = re.compile(
    r"\b(looks? at|looked at|rings|asks|asking|asked|whose rows|leash|climb|leans?|lean to|by evidence|goes on where"
    r"|takes after|suspects|borrow|kinship|newcomer|lending|heirs|hunting|besides|thereof|of which)\b",
    re.IGNORECASE,
)
"""Words of the house, and old turns of phrase, that the field has its own words for."""
LONGEST = 30


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print each description on one line."""
    monkeypatch.setenv("COLUMNS", "2000")


def lines_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert cli.main([*words, "--help"]) == 0
    lines = [line.strip("│ ") for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if line and not line.startswith(("╭", "╰"))]


def prose(line: str) -> str:
    """Leave out of a line what stands before its description, and what is in brackets."""
    return re.sub(r"\[[^]]*\]", "", re.split(r"\s{2,}", line)[-1])


def test_verbs_stand_in_their_groups(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    found: dict[str, set[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if line.startswith("╭─ "):
            found[line.strip("╭─╮ ")] = set()
        elif line.startswith("│ ") and found:
            found[list(found)[-1]].add(line.split()[1])
    assert list(found)[: len(GROUPS)] == list(GROUPS)
    assert {name: verbs for name, verbs in found.items() if name in GROUPS} == GROUPS
    assert found.keys() - GROUPS == {"Options"}


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_begins_with_a_sentence_and_an_example_that_can_be_parsed(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    usage, sentence, example, *_ = lines_of([verb], capsys)
    assert usage.startswith(f"Usage: undertow {verb}")
    assert sentence.endswith(".")
    words = shlex.split(example)
    assert words[:2] == ["undertow", verb]
    command, _bound, _ignored = app.parse_args(words[1:], print_error=False, exit_on_error=False)
    assert command.__name__ == verb


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_sentences_are_short_and_in_the_words_of_the_field(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in lines_of([verb] if verb else [], capsys):
        assert not HOUSE.search(line), line
        for sentence in re.split(r"(?<=[.!?])\s+", prose(line)):
            assert len(sentence.split()) <= LONGEST, sentence


def test_an_older_spelling_of_an_option_is_accepted_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert not any("--also" in line for line in lines_of(["scan"], capsys))
    for option, name in (("--baseline", "baselines"), ("--also", "also")):
        _command, bound, _ignored = app.parse_args(
            ["scan", "rows.jsonl", option, "likelihood"], print_error=False, exit_on_error=False
        )
        assert bound.arguments[name] == ["likelihood"]
