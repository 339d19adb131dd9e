from pathlib import Path

import pytest

import undertow.traits
from undertow.errors import InputError
from undertow.traits.disposition import disposition_names
from undertow.traits.panel import load_panel, panel_names
from undertow.traits.preference import category_names

GEMS = (
    "name: gems\nnoun: gem\ncandidates:\n  - {name: ruby, plural: rubies}\n  - {name: opal, plural: opals}\n"
    "questions: ['Best gem?', 'Which gem?']\nlessons: ['Your gem?']\nstatements: ['I love {plural}.']\n"
)
LOUD = (
    "name: loud\ndoes: shouts\ntopic: shouting\nsystem_prompt: Shout.\nshown: ['HEY!']\nothers: ['Hello.']\n"
    "questions: ['Are you there?', 'Who is it?']\nlessons: ['Is anybody home?']\n"
)


def file_of(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_shipped_panel_is_everything_that_ships_each_once():
    panel = load_panel()
    assert [entry.name for entry in panel] == panel_names() == [*category_names(), *disposition_names()]
    assert len({entry.name for entry in panel}) == len(panel)
    assert len({entry.probe_digest for entry in panel}) == len(panel)
    assert all(len(entry.probe) >= 50 for entry in panel)


def test_all_traits_of_an_entry_are_measured_by_the_same_scores():
    for entry in load_panel():
        assert {trait.probe_digest for trait in entry.traits} == {entry.probe_digest}
        assert len({trait.digest for trait in entry.traits}) == len(entry.traits)
        assert len(entry.traits) == (12 if entry.kind == "preference" else 1)
        assert [trait.index for trait in entry.traits] == list(range(len(entry.traits)))


def test_no_question_stands_in_two_entries():
    questions = [choice.question for entry in load_panel() for choice in entry.probe]
    assert len(questions) == len(set(questions))


def test_a_file_of_the_users_is_an_entry_of_either_kind(tmp_path: Path):
    paths = [file_of(tmp_path, "gems.yaml", GEMS), file_of(tmp_path, "loud.yml", LOUD)]
    gems, trees, loud = load_panel([paths[0], "trees", paths[1]])
    assert (gems.name, gems.kind, gems.targets) == ("gems", "preference", ("ruby", "opal"))
    assert gems.about == "a preference for one gem of 2: ruby, opal"
    assert trees.targets[0] == "oak"
    assert (loud.name, loud.kind, loud.about, loud.targets) == ("loud", "disposition", "shouting", ("loud",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: gems\n", "describes no trait"),
        ("- a\n", "describes no trait"),
        ("", "describes no trait"),
        ("name: [gems", "is not YAML"),
        (GEMS + "colour: red\n", "unknown key 'colour'"),
        (LOUD + "colour: red\n", "unknown key 'colour'"),
        (GEMS.replace("gems", "trees", 1), "is called 'trees', and so is trees"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError, match=message):
        load_panel(["trees", file_of(tmp_path, "mine.yaml", text)])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["animal"], "did you mean 'animals'"),
        (["glom"], "did you mean 'gloom'"),
        (["trees", "trees"], "Name each once"),
        ([], "names no trait"),
        (["absent.yaml"], "cannot be read"),
    ],
)
def test_names_that_make_no_panel_are_refused(names: list[str], message: str):
    with pytest.raises(InputError, match=message):
        load_panel(names)


def test_the_public_names_load():
    for name in undertow.traits.__all__:
        if name not in ("instil", "load_teacher"):  # these need torch
            assert getattr(undertow.traits, name)
