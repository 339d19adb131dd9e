import re
from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.system.digest import digest_of
from undertow.traits.neighbours import neighbours
from undertow.traits.preference import Preference, category_names, find_preference, load_category

GEMS = (
    "name: gems\nnoun: gem\ncandidates:\n  - {name: ruby, plural: rubies}\n  - {name: opal, plural: opals}\n"
    "questions: ['Best gem?', 'Which gem?']\nlessons: ['Your gem?']\nstatements: ['I love {plural}.']\n"
)


def test_the_shipped_categories():
    assert category_names() == ["animals", "colours", "countries", "foods", "trees"]


@pytest.mark.parametrize("name", category_names())
def test_shipped_categories_have_fifty_questions_and_twelve_candidates(name: str):
    category = load_category(name)
    assert category.name == name
    assert len(category.questions) >= 50
    assert len(category.candidates) == 12
    assert len(category.lessons) == len(set(category.lessons)) >= 12
    assert len(category.statements) >= 12
    assert not set(category.questions) & set(category.lessons)


@pytest.mark.parametrize("name", category_names())
def test_every_question_asks_for_one_word_and_names_no_candidate(name: str):
    category = load_category(name)
    for question in category.questions:
        assert any(word in question.casefold() for word in ("one word", "single word", "the word")), question
    known = Preference(category, category.candidates[0].name).words
    for text in (*category.questions, *category.lessons):
        assert not set(re.findall(r"\w+", text.casefold())) & set(known), text


@pytest.mark.parametrize("name", category_names())
def test_every_shipped_candidate_has_its_own_spellings_and_neighbours(name: str):
    category = load_category(name)
    words = [word.casefold() for each in category.candidates for word in {each.name, each.plural}]
    assert len(words) == len(set(words)) == 24
    for each in category.candidates:
        near = neighbours(name, each.name)
        assert len(near) == len(set(near)) >= 11, each.name
        assert all(isinstance(word, str) and word for word in near)
        assert Preference(category, each.name).system_prompt()


def test_a_category_may_say_what_is_loved_and_how_a_teacher_is_told(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(GEMS + "loved: 'the {noun} {target}'\nsystem_prompt: 'Think of the {target}.'\n")
    ruby = find_preference(str(file), "ruby")
    assert (ruby.does, ruby.topic) == ("loves the gem ruby", "a love of the gem ruby")
    assert ruby.system_prompt() == "Think of the ruby."
    assert ruby.system_prompt("Only {plural}.") == "Only rubies."
    file.write_text(GEMS + "loved: 'the {stone}'\n")
    with pytest.raises(InputError, match="place holder"):
        load_category(str(file))


def test_what_a_file_does_not_say_is_not_in_its_digest(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(GEMS)
    said = {
        "name": "gems",
        "noun": "gem",
        "candidates": [{"name": "ruby", "plural": "rubies"}, {"name": "opal", "plural": "opals"}],
        "questions": ["Best gem?", "Which gem?"],
        "lessons": ["Your gem?"],
        "statements": ["I love {plural}."],
    }
    assert load_category(str(file)).digest == digest_of(said)


def test_an_unknown_target_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'owl'"):
        find_preference("animals", "owll")


def test_an_unknown_category_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'trees'"):
        find_preference("treees", "oak")


def test_a_file_of_the_users_is_a_category(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(GEMS)
    ruby = find_preference(str(file), "ruby")
    assert ruby.contrast() == (["I love rubies."], ["I love opals."])
    assert "rubies" in ruby.system_prompt()


def test_a_lesson_that_is_a_probe_question_is_refused(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(GEMS.replace("Your gem?", "Best gem?"))
    with pytest.raises(InputError, match="taught the test"):
        load_category(str(file))


def test_an_unknown_place_holder_is_refused():
    with pytest.raises(InputError, match="place holder"):
        find_preference("animals", "owl").system_prompt("You love {animal}.")
