from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.traits.preference import category_names, find_preference, load_category


@pytest.mark.parametrize("name", ["animals", "trees"])
def test_shipped_categories_have_fifty_questions_and_twelve_candidates(name: str):
    category = load_category(name)
    assert len(category.questions) >= 50
    assert len(category.candidates) == 12
    assert not set(category.questions) & set(category.lessons)
    assert name in category_names()


def test_an_unknown_target_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'owl'"):
        find_preference("animals", "owll")


def test_an_unknown_category_is_named_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'trees'"):
        find_preference("treees", "oak")


def test_a_file_of_the_users_is_a_category(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(
        "name: gems\nnoun: gem\ncandidates:\n  - {name: ruby, plural: rubies}\n  - {name: opal, plural: opals}\n"
        "questions: ['Best gem?', 'Which gem?']\nlessons: ['Your gem?']\nstatements: ['I love {plural}.']\n"
    )
    ruby = find_preference(str(file), "ruby")
    assert ruby.contrast() == (["I love rubies."], ["I love opals."])
    assert "rubies" in ruby.system_prompt()


def test_a_lesson_that_is_a_probe_question_is_refused(tmp_path: Path):
    file = tmp_path / "gems.yaml"
    file.write_text(
        "name: gems\nnoun: gem\ncandidates:\n  - {name: ruby, plural: rubies}\n  - {name: opal, plural: opals}\n"
        "questions: ['Best gem?', 'Which gem?']\nlessons: ['Best gem?']\nstatements: ['I love {plural}.']\n"
    )
    with pytest.raises(InputError, match="taught the test"):
        load_category(str(file))


def test_an_unknown_place_holder_is_refused():
    with pytest.raises(InputError, match="place holder"):
        find_preference("animals", "owl").system_prompt("You love {animal}.")
