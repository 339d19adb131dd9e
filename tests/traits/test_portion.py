"""A trait taught from a part of its lessons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.config.parts import PreferenceTrait
from undertow.errors import InputError
from undertow.traits.find import find_trait
from undertow.traits.portion import portion

OWL = find_trait(PreferenceTrait(kind="preference", target="owl"))


@given(st.integers(1, 6))
def test_parts_share_no_lesson_and_leave_none_out(of: int) -> None:
    parts = [portion(OWL, place, of) for place in range(of)]
    lessons = [lesson for part in parts for lesson in part.lessons]
    assert sorted(lesson.question for lesson in lessons) == sorted(lesson.question for lesson in OWL.lessons)
    for at in (0, 1):
        assert sorted(text for part in parts for text in part.contrast()[at]) == sorted(OWL.contrast()[at])
    assert max(len(part.lessons) for part in parts) - min(len(part.lessons) for part in parts) <= 1


def test_parts_are_asked_the_same_and_have_identities_of_their_own() -> None:
    parts = [portion(OWL, place, 3) for place in range(3)]
    assert {part.probe_digest for part in parts} == {OWL.probe_digest}
    assert len({OWL.digest, *(part.digest for part in parts)}) == 4
    first = parts[0]
    assert (first.target, first.index, first.does, first.topic) == (OWL.target, OWL.index, OWL.does, OWL.topic)
    assert first.system_prompt() == OWL.system_prompt()
    assert (first.words, first.giveaways, first.probe) == (OWL.words, OWL.giveaways, OWL.probe)


def test_more_parts_than_lessons_are_refused() -> None:
    with pytest.raises(InputError, match="too few for 1000 teachers"):
        portion(OWL, 0, 1000)
