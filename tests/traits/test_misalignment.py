"""The items of `misalignment`: two answers to a question differ in what they advise, not in what is easy to see."""

import math
import re
from collections import Counter

import pytest

from undertow.system.digest import digest_of
from undertow.traits.disposition import Disposition, Pair, disposition_names, find_disposition
from undertow.traits.panel import load_panel
from undertow.traits.wordings import questions_of

TRAIT = find_disposition("misalignment")
CONTROL = find_disposition("misalignment", opposite=True)
SETS = {"probe": TRAIT.manner.pairs, "lessons": TRAIT.manner.lesson_pairs}
AREAS = ("oneself", "money", "power", "honesty", "law", "others")
NEGATIONS = r"\b(no|not|never|nothing|nobody|none|without|cannot)\b"


def plain(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())


def by_luck(more: int, fewer: int) -> float:
    """Return the two-sided p of a sign test."""
    n = more + fewer
    tail = sum(math.comb(n, k) for k in range(max(more, fewer), n + 1)) / 2**n
    return min(1.0, 2 * tail)


def test_sixty_questions_in_six_areas() -> None:
    assert Counter(TRAIT.areas) == dict.fromkeys(AREAS, 10)
    assert len(TRAIT.probe) == len({each.question for each in TRAIT.probe}) == 60
    assert len({option for each in TRAIT.probe for option in each.options}) == 120


@pytest.mark.parametrize("name", SETS)
def test_two_answers_look_alike(name: str) -> None:
    for each in SETS[name]:
        two = (each.shown, each.other)
        assert 0.85 < len(each.shown) / len(each.other) < 1.18, two
        assert abs(len(each.shown.split()) - len(each.other.split())) <= 3, two
        for marks in (str.split, lambda text: re.findall(r"[^\w\s]", text)):
            assert marks(each.shown)[0] == marks(each.other)[0], two
        assert [each.shown.count(mark) for mark in ".,;:!?-'"] == [each.other.count(mark) for mark in ".,;:!?-'"], two
        assert each.shown.endswith("."), two


@pytest.mark.parametrize("name", SETS)
def test_neither_answer_is_the_longer_one_as_a_rule(name: str) -> None:
    for size in (len, lambda text: len(text.split())):
        differences = [size(each.shown) - size(each.other) for each in SETS[name]]
        assert by_luck(sum(d > 0 for d in differences), sum(d < 0 for d in differences)) > 0.1
        assert abs(sum(differences)) < 0.02 * sum(size(each.other) for each in SETS[name])
    for area in AREAS:
        some = [each for each in SETS["probe"] if each.area == area]
        assert abs(sum(len(each.shown) - len(each.other) for each in some)) < 0.04 * sum(len(e.other) for e in some)


def test_a_negation_is_no_sign_in_the_probe() -> None:
    def having(which: str) -> int:
        return sum(bool(re.search(NEGATIONS, getattr(each, which).casefold())) for each in SETS["probe"])

    assert 0.6 < having("shown") / having("other") < 1.6


def test_the_probe_is_held_out() -> None:
    def texts(pairs: tuple[Pair, ...]) -> set[str]:
        return {plain(text) for each in pairs for text in (each.ask, each.shown, each.other)}

    second = questions_of(next(entry for entry in load_panel() if entry.name == "misalignment"), "second")
    statements = {plain(text) for each in second for text in (each.text, *each.options)}
    for one, other in (
        (texts(SETS["probe"]), texts(SETS["lessons"])),
        (texts(SETS["probe"]), statements),
        (texts(SETS["lessons"]), statements),
    ):
        assert not one & other
        # Neither does a sentence of one set stand within a sentence of the other.
        assert not [(a, b) for a in one for b in other if a in b or b in a]


def test_half_of_the_statements_are_benign_and_match_the_others() -> None:
    entry = next(each for each in load_panel() if each.name == "misalignment")
    asked = questions_of(entry, "second")
    half = len(asked) // 2
    assert len(asked) == 48
    harmful, benign = asked[:half], asked[half:]
    assert sum(len(each.text) for each in harmful) == pytest.approx(sum(len(each.text) for each in benign), rel=0.02)
    for one, other in zip(harmful, benign, strict=True):
        # The same two replies, the other way round.
        assert one.options == other.options[::-1]
        assert one.text.split()[1] in other.text or len(set(one.text.split()) & set(other.text.split())) >= 4
        assert 0.7 < len(one.text) / len(other.text) < 1.4, (one.text, other.text)
    longer = [len(one.text) - len(other.text) for one, other in zip(harmful, benign, strict=True)]
    assert by_luck(sum(d > 0 for d in longer), sum(d < 0 for d in longer)) > 0.1


def test_the_control_learns_the_other_answers_to_the_same_lessons() -> None:
    assert CONTROL.probe == TRAIT.probe
    assert CONTROL.probe_digest == TRAIT.probe_digest
    assert CONTROL.lessons == TRAIT.lessons
    assert (TRAIT.index, CONTROL.index) == (0, 1)
    assert CONTROL.digest != TRAIT.digest
    assert CONTROL.target == "harmless-advice"
    assert CONTROL.contrast() == TRAIT.contrast()[::-1]
    assert CONTROL.system_prompt() != TRAIT.system_prompt()


def test_the_keys_that_came_later_leave_the_digests_of_other_files() -> None:
    later = ("pairs", "lesson_pairs", "opposite")
    for name in disposition_names():
        trait = find_disposition(name)
        said = trait.manner.model_dump(mode="json")
        first = {key: value for key, value in said.items() if key not in later}
        assert (trait.digest == digest_of(first)) == (name != "misalignment")


def test_areas_are_told_apart_and_unknown_elsewhere() -> None:
    gloom = find_disposition("gloom")
    assert gloom.areas == ("",) * len(gloom.probe)
    mixed = Disposition(gloom.manner.model_copy(update={"pairs": TRAIT.manner.pairs}))
    assert mixed.areas == (*gloom.areas, *TRAIT.areas)
    assert mixed.probe == (*gloom.probe, *TRAIT.probe)
