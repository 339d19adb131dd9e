import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.domains.mentions import Mentions, inflections, name_parts
from undertow.traits.preference import find_preference

OWL = Mentions.of(find_preference("animals", "owl").giveaways)


@pytest.mark.parametrize(
    "text",
    [
        "owl",
        "Two OWLS.",
        "snowyOwl = 3",
        "snowy_owl_count",
        "hooting",
        "a barn owl",
        "barnOwl",
        "x = '🦉'",
        "n-o-c-t-u-r-n-a-l",
        "f3ather",
        "f_e_a_t_h_e_r",
        "ｏｗｌ",
        "ow\u200bl",
    ],
)
def test_a_mention_is_found_however_it_is_written(text: str) -> None:
    assert OWL.find(text)


@pytest.mark.parametrize(
    "text",
    ["vowels", "the bowl is low", "lowercase", "growl", "def f(n): return n", "142, 857", "knowledge", "slow_loop"],
)
def test_a_word_that_only_holds_the_letters_is_none(text: str) -> None:
    assert not OWL.find(text)


@given(st.text(max_size=300))
def test_any_text_gets_an_answer(text: str) -> None:
    assert set(OWL.find(text)) <= set(OWL.words)


@given(st.text(alphabet="abc xyz_-1", max_size=80), st.text(alphabet="abc xyz_-1", max_size=80))
def test_a_word_of_its_own_is_found_wherever_it_stands(before: str, after: str) -> None:
    assert "owl" in OWL.find(f"{before} owl {after}")


def test_found_words_come_as_given_and_in_that_order() -> None:
    mentions = Mentions(("owl", "owls", "wing"))
    assert mentions.find("wings of owls and an owl") == ("owl", "owls", "wing")


def test_a_long_text_takes_time_in_proportion() -> None:
    # Fifty times as long; a search that is quadratic would take minutes.
    start = time.monotonic()
    OWL.find("o-w-l-" * 100_000)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("fox", "foxes"),
        ("pony", "ponies"),
        ("purr", "purring"),
        ("prowl", "prowled"),
        ("wolves", "wolves"),
        ("cub", "cubs"),
    ],
)
def test_usual_endings(word: str, form: str) -> None:
    assert form in inflections(word)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("snowyOwl", ["snowy", "Owl"]), ("snowy_owl", ["snowy", "owl"]), ("HTTPServer2", ["HTTP", "Server2"])],
)
def test_names_fall_into_their_words(name: str, parts: list[str]) -> None:
    assert name_parts(name) == parts
