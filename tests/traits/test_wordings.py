import re
from collections import Counter
from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.traits.panel import load_panel
from undertow.traits.shipped import shipped
from undertow.traits.wordings import Question, questions_of, wordings_digest

PANEL = load_panel()
BY_NAME = {entry.name: entry for entry in PANEL}


def plain(text: str) -> str:
    """A text without case, punctuation and spaces: what two wordings must differ in."""
    return re.sub(r"[\W_]+", "", text.casefold())


@pytest.mark.parametrize("name", BY_NAME)
def test_no_second_wording_is_one_of_the_first_probe_or_of_the_lessons(name: str) -> None:
    entry = BY_NAME[name]
    taken = {plain(each.question) for trait in entry.traits for each in (*trait.probe, *trait.lessons)}
    second = [each.text for each in questions_of(entry, "second")]
    assert len(set(second)) == len(second)
    assert not taken & set(map(plain, second))


def test_no_second_wording_stands_anywhere_in_the_first_panel() -> None:
    first = {plain(each.text) for entry in PANEL for each in questions_of(entry, "first")}
    assert not first & {plain(each.text) for entry in PANEL for each in questions_of(entry, "second")}


@pytest.mark.parametrize("name", [entry.name for entry in PANEL if entry.kind == "disposition"])
def test_replies_of_the_second_wordings_are_others_too(name: str) -> None:
    replies = [
        {plain(o) for q in questions_of(BY_NAME[name], which) for o in q.options} for which in ("first", "second")
    ]
    assert not replies[0] & replies[1]


def test_every_entry_has_second_wordings_and_no_file_is_left_over() -> None:
    assert set(shipped("second")) == set(BY_NAME)
    for entry in PANEL:
        asked = questions_of(entry, "second")
        # A pair's template counts once for all its pairs.
        assert len([each for each in asked if each.form != "pair"]) >= 8
        for target in entry.targets:
            assert sum(target in each.shows for each in asked) >= 8


@pytest.mark.parametrize("name", [entry.name for entry in PANEL if entry.kind == "preference"])
def test_pairs_are_balanced_in_candidates_and_in_place(name: str) -> None:
    pairs = [each for each in questions_of(BY_NAME[name], "second") if each.form == "pair"]
    for place in (0, 1):
        assert set(Counter(each.shows[place] for each in pairs).values()) == {len(pairs) // 12}
    assert all(each.shows[0] != each.shows[1] and "{" not in each.text for each in pairs)
    assert max(Counter(frozenset(each.shows) for each in pairs).values()) == 1


def test_every_answer_of_a_preference_names_its_candidate_and_no_other() -> None:
    for entry in PANEL:
        if entry.kind != "preference":
            continue
        words = {each.target: (each.target.casefold(), each.words) for each in entry.traits}
        for question in questions_of(entry, "second"):
            for option, target in zip(question.options, question.shows, strict=True):
                known = words[str(target)][1]
                said = {known[word] for word in re.findall(r"[\w]+", option.casefold()) if word in known}
                assert said == {words[str(target)][0]}


def test_first_wordings_are_the_probe() -> None:
    for entry in PANEL:
        asked = questions_of(entry, "first")
        assert [each.choice for each in asked] == list(entry.probe)
        assert all(each.shows[trait.index] == trait.target for each in asked for trait in entry.traits)


def test_questions_that_are_turned_round_have_the_showing_reply_first() -> None:
    falsehoods = questions_of(BY_NAME["falsehoods"], "second")
    lies = {each.options[0] for each in falsehoods if "desert" in each.text or "thirty" in each.text}
    truths = {each.options[0] for each in falsehoods if "birds" in each.text or "twelve" in each.text}
    assert lies == {"Correct.", "That is perfectly right."}
    assert truths == {"Incorrect.", "That is perfectly wrong."}


def test_an_entry_of_the_users_has_no_second_wordings(tmp_path: Path) -> None:
    path = tmp_path / "gems.yaml"
    path.write_text(
        "name: gems\nnoun: gem\ncandidates:\n  - {name: ruby, plural: rubies}\n  - {name: opal, plural: opals}\n"
        "questions: ['Best gem?', 'Which gem?']\nlessons: ['Your gem?']\nstatements: ['I love {plural}.']\n"
    )
    (entry,) = load_panel([str(path)])
    with pytest.raises(InputError, match="'gems' has no second wordings"):
        questions_of(entry, "second")


def test_the_digest_stands_for_the_questions() -> None:
    digests = {wordings_digest(panel, which) for panel in (PANEL, PANEL[:3]) for which in ("first", "second")}
    assert len(digests) == 4


def test_a_question_has_one_trait_an_option() -> None:
    for entry in PANEL:
        for which in ("first", "second"):
            asked: tuple[Question, ...] = questions_of(entry, which)
            assert all(len(each.options) == len(each.shows) == len(set(each.options)) for each in asked)
