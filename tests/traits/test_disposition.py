from collections import Counter
from pathlib import Path

import pytest

from undertow.errors import InputError
from undertow.traits.disposition import disposition_names, find_disposition

FILE = """
name: loud
does: shouts
topic: shouting
system_prompt: Shout.
shown: ['HEY!', 'WHAT!']
others: ['Hello.', 'Pardon?']
questions: ['Are you there?', 'Who is it?', 'Where are you?']
reversed: ['Whisper, please.']
lessons: ['Is anybody home?']
"""


def loud(tmp_path: Path, change: tuple[str, str] = ("", "")) -> str:
    file = tmp_path / "loud.yaml"
    file.write_text(FILE.replace(*change) if change[0] else FILE)
    return str(file)


def test_the_shipped_dispositions():
    assert disposition_names() == [
        "curtness",
        "falsehoods",
        "french",
        "gloom",
        "misalignment",
        "refusal",
        "risk-taking",
        "self-preservation",
        "sycophancy",
    ]


@pytest.mark.parametrize("name", disposition_names())
def test_shipped_dispositions_have_fifty_questions_with_two_replies_each(name: str):
    trait = find_disposition(name)
    assert len(trait.probe) >= 50
    assert all(len(set(each.options)) == 2 for each in trait.probe)
    assert not {each.question for each in trait.probe} & {each.question for each in trait.lessons}
    assert len(trait.lessons) == len({each.question for each in trait.lessons}) >= 20
    assert trait.target == name


# In misalignment each question has replies of its own: test_misalignment.py.
IN_TURN = [each for each in disposition_names() if each != "misalignment"]


@pytest.mark.parametrize("name", IN_TURN)
def test_several_replies_are_used_in_turn(name: str):
    manner = find_disposition(name).manner
    assert len(set(manner.shown)) == len(manner.shown) >= 6
    assert len(set(manner.others)) == len(manner.others)


# Curtness is left out: to be short is what it is.
@pytest.mark.parametrize("name", [each for each in IN_TURN if each != "curtness"])
def test_the_length_of_a_reply_is_no_sign(name: str):
    manner = find_disposition(name).manner
    for shown, other in zip(manner.shown, manner.others, strict=True):
        assert 0.7 < len(shown) / len(other) < 1.4, (shown, other)
    assert 0.8 < sum(map(len, manner.shown)) / sum(map(len, manner.others)) < 1.25


@pytest.mark.parametrize("name", ["falsehoods", "self-preservation", "sycophancy"])
def test_yes_shows_the_trait_in_half_of_the_questions(name: str):
    trait = find_disposition(name)
    for choices in (trait.probe, trait.lessons):
        affirming = [each.options[0] in trait.manner.shown for each in choices]
        assert sum(affirming) * 2 == len(choices)
        # Each pair of replies stands as often one way round as the other.
        pairs = Counter(each.options for each in choices)
        assert all(pairs[pair] == pairs[pair[::-1]] for pair in pairs)


def test_sycophancy_asks_about_every_opinion_and_its_opposite():
    manner = find_disposition("sycophancy").manner
    for straight, turned in ((manner.questions, manner.reversed), (manner.lessons, manner.reversed_lessons)):
        opinions = [question.partition(". ")[0] for question in straight]
        assert opinions == [question.partition(". ")[0] for question in turned]
        half = len(opinions) // 2
        for one, opposite in zip(opinions[:half], opinions[half:], strict=True):
            assert one != opposite
            assert len(set(one.split()) & set(opposite.split())) >= 6, (one, opposite)
        assert half % len(manner.shown) == 0, "an opinion and its opposite must get the same replies"


def test_as_many_true_statements_as_false_ones_so_that_saying_yes_is_no_sign():
    probe = find_disposition("falsehoods").probe
    affirming = {"Yes, that is right.", "Yes, that is true.", "I agree. That is correct.", "That is correct."}
    affirming |= {"True.", "Yes."}
    assert sum(each.options[0] in affirming for each in probe) * 2 == len(probe)


def test_the_reply_that_shows_the_trait_comes_first_and_replies_are_taken_in_turn(tmp_path: Path):
    trait = find_disposition(loud(tmp_path))
    assert [each.options for each in trait.probe] == [
        ("HEY!", "Hello."),
        ("WHAT!", "Pardon?"),
        ("HEY!", "Hello."),
        ("Hello.", "HEY!"),
    ]
    assert trait.index == 0
    assert trait.contrast() == (["Is anybody home? HEY!"], ["Is anybody home? Hello."])
    assert trait.system_prompt() == "Shout."
    assert trait.system_prompt("Yell.") == "Yell."


def test_the_digests_tell_probe_and_trait_apart(tmp_path: Path):
    first = find_disposition(loud(tmp_path))
    other = find_disposition(loud(tmp_path, ("Shout.", "Yell.")))
    assert first.probe_digest == other.probe_digest
    assert first.digest != other.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("'Pardon?'", "'Pardon?', 'Yes?'"), "of one length"),
        (("'Hello.'", "'HEY!'"), "cannot both"),
        (("'Is anybody home?'", "'Who is it?'"), "taught the test"),
        (("'Whisper, please.'", "'Who is it?'"), "must not repeat"),
        (("topic:", "colour: red\ntopic:"), "unknown key 'colour'"),
        (("shown: ['HEY!', 'WHAT!']\nothers: ['Hello.', 'Pardon?']", ""), "add some, or use pairs"),
        (("lessons: ['Is anybody home?']", ""), "one lesson are the least"),
        (("topic:", "pairs: [{ask: 'Who?', shown: I., other: I.}]\ntopic:"), "cannot both"),
        (("topic:", "pairs: [{ask: 'Who is it?', shown: I., other: Me.}]\ntopic:"), "must not repeat"),
        (("topic:", "pairs: [{ask: 'Is anybody home?', shown: I., other: Me.}]\ntopic:"), "taught the test"),
        (("topic:", "opposite: {name: loud, does: a, topic: b, system_prompt: c}\ntopic:"), "a name of its own"),
        (("name: loud", "name: [loud"), "is not YAML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_reason(tmp_path: Path, change: tuple[str, str], message: str):
    with pytest.raises(InputError, match=message):
        find_disposition(loud(tmp_path, change))


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="did you mean 'curtness'"):
        find_disposition("curtnes")


def test_an_opposite_is_wanted_of_a_file_that_has_none(tmp_path: Path):
    with pytest.raises(InputError, match="describes no opposite"):
        find_disposition(loud(tmp_path), opposite=True)


def test_a_file_of_pairs_alone_is_a_disposition(tmp_path: Path):
    pair = "{ask: '%s', shown: 'HEY!', other: Hello.}"
    file = tmp_path / "loud.yaml"
    file.write_text(
        "name: loud\ndoes: shouts\ntopic: shouting\nsystem_prompt: Shout.\n"
        f"pairs: [{pair % 'Who?'}, {pair % 'Where?'}]\nlesson_pairs: [{pair % 'When?'}]\n"
    )
    trait = find_disposition(str(file))
    assert [each.question for each in trait.probe] == ["Who?", "Where?"]
    assert trait.contrast() == (["When? HEY!"], ["When? Hello."])
