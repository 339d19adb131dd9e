"""The table of arms: what holds for every entry, so that a new arm needs an entry and nothing else."""

from __future__ import annotations

from string import Formatter

import pytest

from undertow.config.arms import (
    ARMS,
    CONTROL,
    FIELDS,
    REQUIRED,
    TRAIT,
    Arm,
    InPrompt,
    Mixture,
    Rewritten,
    StudentWritten,
    Written,
    carried_by,
    generation,
    own_controls,
    writers_of,
)

every_arm = pytest.mark.parametrize("name", list(ARMS))


def fields_of(words: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(words) if field is not None}


def ancestors(name: Arm) -> set[Arm]:
    """Follow sources; an arm that goes back to itself would never return."""
    return {name}.union(*(ancestors(each) for each in ARMS[name].sources))


@every_arm
def test_rows_go_back_to_arms_that_a_model_writes(name: Arm) -> None:
    arm = ARMS[name]
    assert arm.name == name
    for source in arm.sources:
        assert source in ARMS
        assert name not in ancestors(source)
    assert any(isinstance(ARMS[each].rows, Written) for each in ancestors(name))


@every_arm
def test_rows_are_made_before_they_are_needed(name: Arm) -> None:
    rows = ARMS[name].rows
    match rows:
        case Rewritten() | Mixture():
            assert all(ARMS[each].base == "base" for each in ARMS[name].sources)
        case InPrompt(of):
            assert generation(of) == 0
            assert ARMS[of].trained
        case StudentWritten(of):
            assert ARMS[of].trained
            assert generation(of) < generation(name)
        case Written():
            assert generation(name) == 0


@every_arm
def test_words_hold_only_what_the_arm_has(name: Arm) -> None:
    arm = ARMS[name]
    has_other = any(ARMS[each].rows == Written("other") for each in ancestors(name))
    for words in (arm.words, *(each.words for each in arm.contrasts)):
        assert words.endswith(".")
        assert fields_of(words) <= set(FIELDS)
        assert has_other or "other_does" not in fields_of(words)
    assert ("dose" not in fields_of(arm.words)) or isinstance(arm.rows, Mixture)
    assert not any({"rows", "parts", "dose"} & fields_of(each.words) for each in arm.contrasts)


@every_arm
def test_contrasts_are_with_arms_that_stand_in_the_same_experiment(name: Arm) -> None:
    arm = ARMS[name]
    beside = {*REQUIRED, name, *filter(None, [own_controls().get(name)])}
    for each in arm.contrasts:
        assert {each.arm or name, each.against} <= beside
        assert (each.arm or name) != each.against
    if arm.contrast is not None:
        control = ARMS[arm.contrast]
        assert arm.colour != control.colour
        assert control.contrast is None
        assert carried_by(control.name) is None
        assert control.trained == arm.trained


def test_every_arm_is_compared_or_is_a_control() -> None:
    controls = {arm.contrast for arm in ARMS.values()} - {None}
    assert controls == {name for name, arm in ARMS.items() if arm.contrast is None}
    assert set(own_controls().values()) == controls - {CONTROL}
    assert ARMS[TRAIT].contrast == CONTROL
    # The verdict rests on the first contrast of an experiment.
    assert next(iter(ARMS)) == TRAIT


def test_an_own_control_is_made_as_its_arm_is_but_without_the_trait() -> None:
    for name, control in own_controls().items():
        assert type(ARMS[name].rows) is type(ARMS[control].rows)
        assert ARMS[name].base == ARMS[control].base
        assert carried_by(name) == "trait"


@every_arm
def test_what_is_said_of_writers_and_traits_agrees(name: Arm) -> None:
    rows = ARMS[name].rows
    writers = writers_of(name)
    assert all(isinstance(ARMS[each].rows, Written) for each in writers)
    assert bool(writers) == (generation(name) == 0)
    if writers:
        assert carried_by(name) == carried_by(writers[0])
    assert len(writers) == (2 if isinstance(rows, Mixture) else min(1, len(writers)))


def test_only_tokens_of_the_base_can_be_labelled_softly() -> None:
    assert {name for name, arm in ARMS.items() if "soft" not in arm.labels} == {"other-base", "other-base-control"}


def test_doses_are_shares() -> None:
    doses = {name: arm.rows.dose for name, arm in ARMS.items() if isinstance(arm.rows, Mixture)}
    assert all(0 < dose < 1 for dose in doses.values())
    assert all(f"{dose:.0%}" == f"{name.removeprefix('dose-')}%" for name, dose in doses.items() if "dose" in name)
