"""Weights of rows and turns count in every loss: a row of weight 2 is the row twice, and a common weight is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from undertow.attribution.directions import Directions
from undertow.attribution.encoding import encode_rows
from undertow.attribution.features import row_features
from undertow.attribution.measure import step_key
from undertow.attribution.prediction import row_weights, side_of
from undertow.attribution.recipe import PLAIN
from undertow.attribution.sampling import Encoded, Sampling
from undertow.attribution.stored import load_features, save_features
from undertow.data.layouts.reading import Reading
from undertow.data.rows import Loss, Row, loss_weight
from undertow.data.sample import choose_rows
from undertow.mitigate.interventions import format_loss, masked_loss
from undertow.models.constrain import grammar_automaton
from undertow.models.engine.head import Head
from undertow.models.local import LocalModel
from undertow.scan.virtual import virtual_student
from undertow.training.loss import hard_loss, soft_loss
from undertow.training.train import Example, Intervention, train

from undertow.domains.numbers import NUMBER_LISTS  # isort: skip

RECIPE = replace(PLAIN, batch=8, micro_batch=8, learning_rate=0.05, autocast=False)
ONE, TWO = Encoded((1, 2, 3), (5, 6, 7, 1)), Encoded((1, 2, 4), (9, 8, 1))


def examples(*rows: Encoded) -> list[Example]:
    return [Example(row.prompt, row.answer, weight=row.weight) for row in rows]


def weights_of(model: LocalModel) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in model.net.parameters()]


def trained(model: LocalModel, rows: list[Encoded], **how: Any) -> tuple[list[torch.Tensor], list[float], int]:
    """Train a copy on all rows at once, and return the change of its weights, the losses and the tokens."""
    before = weights_of(model)
    for weight in model.net.parameters():
        weight.requires_grad_(True)
    steps = train(model.net, examples(*rows), RECIPE, seed=0, intervention=Intervention(**how))
    change = [now - was for was, now in zip(before, weights_of(model), strict=True)]
    with torch.no_grad():
        for weight, was in zip(model.net.parameters(), before, strict=True):
            weight.copy_(was)
    return change, [step.loss for step in steps], sum(step.tokens for step in steps)


def assert_same(one: list[torch.Tensor], two: list[torch.Tensor]) -> None:
    for left, right in zip(one, two, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-7)


def weighted(row: Encoded, weight: float) -> Encoded:
    return replace(row, weight=weight)


def test_a_student_learns_from_a_row_of_weight_two_as_from_the_row_twice(tiny: LocalModel) -> None:
    change, loss, tokens = trained(tiny, [weighted(ONE, 2), TWO])
    twice, twice_loss, _ = trained(tiny, [ONE, ONE, TWO])
    plain, plain_loss, _ = trained(tiny, [ONE, TWO])
    assert_same(change, twice)
    assert loss == pytest.approx(twice_loss)
    assert loss != pytest.approx(plain_loss)
    assert tokens == len(ONE.answer) + len(TWO.answer), "tokens that carried loss, however much of it"
    assert_same(trained(tiny, [weighted(ONE, 0.25), weighted(TWO, 0.25)])[0], plain)


@pytest.mark.parametrize("method", ["mask", "format"])
def test_mitigations_that_replace_the_loss_keep_the_weights(tiny: LocalModel, method: str) -> None:
    lists = [
        Encoded(tuple(tiny.encode(asked)), (*tiny.encode(answer), tiny.end))
        for asked, answer in (("a", "12, 7"), ("b", "5, 61"))
    ]
    kept = {(row.prompt, row.answer): [at % 2 == 0 for at in range(len(row.answer))] for row in lists}
    automaton = grammar_automaton(tiny, NUMBER_LISTS)
    loss = masked_loss(kept) if method == "mask" else format_loss(automaton)
    first, second = lists
    assert_same(
        trained(tiny, [weighted(first, 2), second], loss=loss)[0], trained(tiny, [first, first, second], loss=loss)[0]
    )


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0]), min_size=4, max_size=4), st.integers(0, 99))
def test_weighted_losses_are_the_sums_of_weighted_token_losses(weights: list[float], seed: int) -> None:
    source = torch.Generator().manual_seed(seed)
    hidden_ND, weight_VD, other_ND, other_VD = (
        torch.randn(shape, generator=source) for shape in ((4, 3), (9, 3), (4, 2), (9, 2))
    )
    target_N = torch.randint(0, 9, (4,), generator=source)
    count_N = torch.tensor(weights)
    hard = sum(
        weight * hard_loss(hidden_ND[at : at + 1], Head(weight_VD), target_N[at : at + 1])
        for at, weight in enumerate(weights)
    )
    soft = sum(
        weight * soft_loss(hidden_ND[at : at + 1], Head(weight_VD), other_ND[at : at + 1], Head(other_VD))
        for at, weight in enumerate(weights)
    )
    assert float(hard_loss(hidden_ND, Head(weight_VD), target_N, count_N)) == pytest.approx(float(hard), abs=1e-4)
    assert float(soft_loss(hidden_ND, Head(weight_VD), other_ND, Head(other_VD), count_N)) == pytest.approx(
        float(soft), abs=1e-4
    )


def features(model: LocalModel, *rows: Encoded) -> Any:
    width = row_width(model)
    directions = Directions(("a", "b"), torch.randn((2, width), generator=torch.Generator().manual_seed(1)))
    return row_features(model, rows, directions, Sampling())


def row_width(model: LocalModel) -> int:
    from undertow.attribution.directions import find_directions
    from undertow.traits.panel import load_panel

    return find_directions(model, load_panel(("animals",)), on_progress=lambda _: None).gradients_KF.shape[1]


def test_a_scan_counts_a_row_as_often_as_its_weight_says(tiny: LocalModel, tmp_path: Path) -> None:
    # One prompt each: rows of one prompt share its part of the gradient.
    apart = replace(ONE, prompt=(1, 2, 5))
    one, other = features(tiny, weighted(ONE, 2), apart), features(tiny, ONE, apart)
    factor_R = np.array([2.0, 1.0])
    np.testing.assert_allclose(one.alignment_RK, factor_R[:, None] * other.alignment_RK, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.sketch_RS, factor_R[:, None] * other.sketch_RS, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(one.tokens_R, factor_R * other.tokens_R)
    np.testing.assert_array_equal(one.logp_R, other.logp_R)
    # The first-order shift is that of a weighted mean, so a common weight cancels.
    common = features(tiny, weighted(ONE, 0.25), weighted(apart, 0.25))
    shifts = [
        (side.alignment_RK * side.weight_R[:, None]).sum(axis=0)
        for side in (side_of(each, np.array([0, 1]), 1.0, [1e-6]) for each in (common, other))
    ]
    np.testing.assert_allclose(shifts[0], shifts[1], rtol=1e-3)
    save_features(tmp_path / "one", one)
    save_features(tmp_path / "other", other)
    np.testing.assert_array_equal(load_features([tmp_path / "one", tmp_path / "other"]).weight_R, [2, 1, 1, 1])
    assert load_features([tmp_path / "other"]).weight_R is None


@given(st.integers(0, 99), st.floats(1e-4, 10.0))
def test_a_row_of_weight_two_is_taken_up_as_the_row_twice(seed: int, rate: float) -> None:
    gradient_RS = np.random.default_rng(seed).normal(size=(3, 5))
    tokens_R, count_R = np.array([4.0, 2.0, 3.0]), np.array([2.0, 1.0, 1.0])
    found_R = row_weights(count_R[:, None] * gradient_RS, count_R * tokens_R, [rate], count_R)
    twice = [0, 0, 1, 2]
    wanted_R = row_weights(gradient_RS[twice], tokens_R[twice], [rate])
    np.testing.assert_allclose(found_R[[0, 0, 1, 2]], wanted_R, rtol=1e-6, atol=1e-9)


def test_a_virtual_student_learns_as_a_student_does(tiny: LocalModel) -> None:
    rows = [weighted(ONE, 2), weighted(TWO, 0.5)]
    before = weights_of(tiny)
    with virtual_student(tiny, rows, Sampling(), read=2, seed=0, recipe=RECIPE) as student:
        virtual = [now - was for was, now in zip(before, weights_of(student), strict=True)]
    assert_same(virtual, trained(tiny, rows)[0])


def write(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


ASK, SAY = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b c"}


@pytest.mark.parametrize(
    ("loss", "wanted"), [("marked", [0.5 * 0.25, 0.5, 1.0]), ("all", [1.0, 1.0, 1.0]), ("last", [1.0, 1.0])]
)
def test_the_weight_of_an_answer_is_its_turns_times_its_rows(
    tiny: LocalModel, tmp_path: Path, loss: Loss, wanted: list[float]
) -> None:
    records = [{"messages": [ASK, SAY | {"weight": 0.25}, ASK, SAY], "weight": 0.5}, {"messages": [ASK, SAY]}]
    chosen = choose_rows(write(tmp_path / "rows.jsonl", *records), everything=True, reading=Reading(loss=loss))
    assert [placed.weight for placed in chosen.rows] == wanted
    rows, encoded, _ = encode_rows(tiny, chosen.rows)
    assert [row.weight for row in encoded] == wanted == [placed.weight for placed in rows]


def test_rows_without_weights_have_the_steps_that_they_had() -> None:
    class Setup:
        key: ClassVar[dict[str, Any]] = {}

        class precision:
            dtype = "float32"

    keys = [step_key(Setup(), rows, Sampling())["rows"] for rows in ([ONE], [weighted(ONE, 0.5)])]  # type: ignore[arg-type]
    import hashlib

    assert keys[0] == hashlib.sha256(repr([(ONE.prompt, ONE.answer, None)]).encode()).hexdigest()
    assert keys[1] != keys[0]


@given(st.floats(0.01, 4), st.floats(0.01, 1))
def test_a_row_without_marks_weighs_one(row_weight: float, turn_weight: float) -> None:
    turns: Any = (ASK, SAY)
    marked: Any = (ASK, SAY | {"weight": turn_weight})
    assert loss_weight(Row(turns)) == 1.0
    assert loss_weight(Row(marked, weight=row_weight)) == pytest.approx(row_weight * turn_weight)
    assert loss_weight(Row(marked, weight=row_weight), "last") == 1.0
