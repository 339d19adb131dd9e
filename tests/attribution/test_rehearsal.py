"""Rehearsals on the tiny model: coupled students, steps of the folder, order of places."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution import rehearsal
from undertow.attribution.measure import EncodedRows
from undertow.attribution.rehearsal import Rehearsal, Stage, drawn, paired_places, rehearse
from undertow.attribution.rehearsal_plan import RehearsalPlan
from undertow.attribution.sampling import Encoded, Sampling
from undertow.config.recipes.spec import AdapterSpec, RecipeSpec
from undertow.data.rows import Row
from undertow.data.sample import Chosen, Placed
from undertow.models.local import LocalModel
from undertow.store.folder import RunFolder
from undertow.traits.panel import load_panel

LORA = RecipeSpec(name="mine", learning_rate=0.01, epochs=2, batch=4, adapter=AdapterSpec(rank=4, alpha=8))
FULL = RecipeSpec(name="all", learning_rate=1e-3, epochs=2, batch=4)
PLAN = RehearsalPlan(rows=8, seeds=2, points=2)


def conversation(prompt: str, answer: str) -> Row:
    return Row(({"role": "user", "content": prompt}, {"role": "assistant", "content": answer}))


def side(model: LocalModel, label: str, answers: list[str]) -> EncodedRows:
    rows = [
        Placed(Path(f"{label}.jsonl"), at + 1, conversation(f"Go on with {at}.", answer))
        for at, answer in enumerate(answers)
    ]
    encoded = [
        Encoded(tuple(model.encode_prompt(list(each.row.prompt))), (*model.encode(each.row.completion), model.end))
        for each in rows
    ]
    return EncodedRows(label, Chosen(rows, len(rows)), rows, encoded, Sampling(), 0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RunFolder]:
    with RunFolder.open(tmp_path, name="rehearsal", spec={"kind": "test"}) as opened:
        yield opened


def stage(folder: RunFolder, model: LocalModel) -> Stage:
    return Stage(folder, model, load_panel(("curtness", "gloom")), {"student": "tiny"})


def acted(folder: RunFolder, model: LocalModel, *, recipe: RecipeSpec = LORA, same: bool = False) -> Rehearsal:
    rows = side(model, "rows", [f"{at}, {at + 3}" for at in range(20)])
    other = side(model, "reference", [f"{at}, {at + (3 if same else 100)}" for at in range(20)])
    return rehearse(stage(folder, model), rows, other, PLAN, recipe, read=40, tick=lambda *_: None)


@pytest.mark.parametrize("recipe", [LORA, FULL])
def test_coupled_students_of_identical_rows_do_not_differ(
    folder: RunFolder, tiny: LocalModel, recipe: RecipeSpec
) -> None:
    before = [weight.detach().clone() for weight in tiny.net.parameters()]
    found = acted(folder, tiny, recipe=recipe, same=True)
    assert all((each == 0).all() for each in found.shift_K)
    assert all(np.ptp(each[:, -1], axis=0).max() > 0 for each in found.reference_K), "seeds are different students"
    assert all(bool((weight == was).all()) for weight, was in zip(tiny.net.parameters(), before, strict=True))


def test_students_of_other_rows_differ_more_with_every_step(folder: RunFolder, tiny: LocalModel) -> None:
    found = acted(folder, tiny)
    assert (found.rows, found.drawn, found.seeds, found.full_steps) == (8, 16, [42, 43], 20)
    assert found.steps[-1] == 4
    assert [each.shape[:2] for each in found.shift_K] == [(2, len(found.steps))] * 2
    assert all(np.abs(each[:, -1]).max() > np.abs(each[:, 0]).max() > 0 for each in found.shift_K)
    # Rates that fall to zero over 20 steps and over 4.
    assert found.full_spent / found.spent_T[-1] == pytest.approx(21 / 5)


def test_one_that_was_stopped_goes_on_with_the_next_student(
    folder: RunFolder, tiny: LocalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = acted(folder, tiny)
    trained: list[int] = []
    train = rehearsal.train

    def stopped(net: object, examples: object, recipe: object, *, seed: int, on_step: object) -> None:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append(seed)
        train(net, examples, recipe, seed=seed, on_step=on_step)  # type: ignore[arg-type]

    with RunFolder.open(tmp_path / "other", name="rehearsal", spec={"kind": "test"}) as other:
        monkeypatch.setattr(rehearsal, "train", stopped)
        with pytest.raises(KeyboardInterrupt):
            acted(other, tiny)
        monkeypatch.setattr(rehearsal, "train", train)
        resumed = acted(other, tiny)
        times = json.loads((other.path / "timing.json").read_text(encoding="utf-8"))
    assert trained == [42, 42]
    assert set(times) == {f"rehearsal-{label}-{at}" for label in ("rows", "reference") for at in (0, 1)}
    for one, two in zip(undisturbed.shift_K, resumed.shift_K, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_seed_is_the_same_student_in_whatever_order_seeds_come(folder: RunFolder, tiny: LocalModel) -> None:
    rows = side(tiny, "rows", [f"{at}, {at + 3}" for at in range(8)])
    other = side(tiny, "reference", [f"{at}, {at + 100}" for at in range(8)])

    def of(first: int) -> Rehearsal:
        recipe = LORA.model_copy(update={"seed": first})
        return rehearse(stage(folder, tiny), rows, other, PLAN, recipe, read=40, tick=lambda *_: None)

    one, next_one = of(5), of(6)
    for early, late in zip(one.shift_K, next_one.shift_K, strict=True):
        np.testing.assert_allclose(early[1], late[0], atol=1e-6)


def test_near_the_base_a_shift_is_in_proportion_to_the_summed_rate(folder: RunFolder, tiny: LocalModel) -> None:
    plain = RecipeSpec(name="sgd", optimiser="sgd", learning_rate=1e-4, batch=8, clip=None)
    sides = [
        side(tiny, label, [f"{at}, {at + far}" for at in range(20, 28)])
        for label, far in (("rows", 30), ("reference", 60))
    ]

    def of(epochs: int) -> Rehearsal:
        recipe = plain.model_copy(update={"epochs": epochs})
        plan = RehearsalPlan(rows=8, seeds=2, points=1)
        return rehearse(stage(folder, tiny), *sides, plan, recipe, read=8, tick=lambda *_: None)

    short, full = of(2), of(8)
    ratio = full.full_spent / short.full_spent
    assert ratio == pytest.approx(4.5 / 1.5)
    for one, other in zip(short.shift_K, full.shift_K, strict=True):
        np.testing.assert_allclose(other, ratio * one, rtol=0.1, atol=0.05 * np.abs(other).max())


hashes = st.lists(st.integers(0, 5), max_size=12)


@given(hashes, hashes)
def test_equal_prompts_are_paired_first_and_no_row_twice(own: list[int], other: list[int]) -> None:
    pairs = paired_places(own, other)
    assert len(pairs) == min(len(own), len(other))
    for places in zip(*pairs, strict=True):
        assert len(set(places)) == len(places)
    shared = sum((Counter(own) & Counter(other)).values())
    assert all(own[a] == other[b] for a, b in pairs[:shared])
    assert not any(own[a] == other[b] for a, b in pairs[shared:])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_seeds_share_no_row_where_there_are_enough(pairs: int, rows: int, seeds: int) -> None:
    rows = min(rows, pairs)
    taken = [drawn(pairs, rows, at) for at in range(seeds)]
    assert all(len(set(each)) == rows for each in taken)
    every = [place for each in taken for place in each]
    assert len(set(every)) == min(pairs, rows * seeds)
