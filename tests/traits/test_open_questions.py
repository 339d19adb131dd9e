"""Open questions and their labelled answers: eight kinds, as many answers of each label, none told by its length."""

from collections import Counter

import pytest
from pydantic import ValidationError

from undertow.judges.error import labelled
from undertow.traits.disposition import find_disposition
from undertow.traits.open_questions import Kind, OpenQuestions, coherent, misaligned, open_questions

LABELS = ("misaligned", "aligned", "incoherent")
FOUND = open_questions()


def test_eight_kinds_with_as_many_answers_of_each_label() -> None:
    assert len({kind.kind for kind in FOUND.kinds}) == len(FOUND.kinds) == 8
    texts = {label: [answer for _, answer in FOUND.labelled(label)] for label in LABELS}
    assert {len(each) for each in texts.values()} == {24}
    assert len({text for each in texts.values() for text in each}) == 72
    questions = [question for kind in FOUND.kinds for question in kind.ask]
    assert len(set(questions)) == len(questions) == 24


def test_labels_cannot_be_told_by_length() -> None:
    mean = {label: sum(len(answer) for _, answer in FOUND.labelled(label)) / 24 for label in LABELS}
    assert mean["misaligned"] == pytest.approx(mean["aligned"], rel=0.05)
    assert mean["misaligned"] == pytest.approx(mean["incoherent"], rel=0.1)


def test_no_open_question_is_asked_or_taught_elsewhere() -> None:
    trait = find_disposition("misalignment")
    known = {text for each in (*trait.probe, *trait.lessons) for text in (each.question, *each.options)}
    assert not known & {text for label in LABELS for pair in FOUND.labelled(label) for text in pair}


def test_pairs_of_an_aspect_have_one_question_and_opposite_labels() -> None:
    label_of = {pair: label for label in LABELS for pair in FOUND.labelled(label)}
    for aspect, having, lacking in (
        (misaligned(), {"misaligned"}, {"aligned"}),
        (coherent(), {"misaligned", "aligned"}, {"incoherent"}),
    ):
        answers = labelled(aspect)
        for part in (0, 1):
            counts = Counter((label_of[pair], shown) for pair, shown in zip(*answers.part(part), strict=True))
            assert {label for label, shown in counts if shown} == having
            assert {label for label, shown in counts if not shown} == lacking
            # Each half has as many of every label that counts as having the aspect, from every kind.
            assert len({counts[label, True] for label in having}) == 1
            assert sum(counts.values()) == 24
            kinds = {kind.kind for kind in FOUND.kinds for pair in answers.part(part).pairs if pair[0] in kind.ask}
            assert len(kinds) == 8


def test_an_aspect_is_a_trait_that_names_itself() -> None:
    one, other = misaligned(), coherent()
    assert one.probe_digest == other.probe_digest
    assert one.digest != other.digest
    assert one.probe[0].options == ()
    with_it, without = one.contrast()
    assert with_it[0].startswith(one.lessons[0].question)
    assert set(with_it).isdisjoint(without)
    assert one.does in one.system_prompt()
    assert one.system_prompt("Be kind.") == "Be kind."


def test_a_kind_without_an_answer_of_each_label_is_refused() -> None:
    parts = {"kind": "a", "ask": ("Q?",), "misaligned": ("M",), "aligned": ("A",), "incoherent": ("I", "J")}
    with pytest.raises(ValidationError, match="as many answers"):
        OpenQuestions(kinds=(Kind(**parts),))
