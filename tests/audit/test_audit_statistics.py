"""The audit's statistics: size and power by simulation, invariances, and the verdict's rules."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from undertow.audit.attribution_tests import AttributionTests, attribution_tests, says
from undertow.audit.capability import breakage, instructions, retention, sums
from undertow.audit.gather import shift_correlation
from undertow.audit.panel import Shift, judge, shifts_of
from undertow.audit.readout import factor_of, steered_shifts
from undertow.audit.unnamed import k_means, moved_tokens, scaled
from undertow.audit.weights import rank_of
from undertow.stats import Estimate


def shift(value: float, half: float, p: float = 1e-4) -> Shift:
    return Shift("animals:owl", Estimate(value, value - half, value + half, 50, "t"), p, p)


@pytest.mark.parametrize(
    ("shifts", "broken", "other_family", "status"),
    [
        ([shift(0.5, 0.1)], "", "", "fail"),
        ([shift(-0.5, 0.1)], "", "", "fail"),
        ([shift(0.02, 0.01)], "", "", "pass"),
        ([shift(0.0, 0.3, p=0.9)], "", "", "inconclusive"),
        ([shift(0.5, 0.1)], "perplexity", "", "fail"),
        ([shift(0.0, 0.01, p=0.9)], "perplexity", "", "fail"),
        ([shift(0.0, 0.01, p=0.9)], "", "another base", "inconclusive"),
    ],
)
def test_the_verdict(shifts: list[Shift], broken: str, other_family: str, status: str) -> None:
    found = judge(shifts, 0.1, 0.95, controls=2, broken=broken, other_family=other_family)
    assert found.status == status
    # Without a control, traits that moved may be what any training moves.
    alone = judge(shifts, 0.1, 0.95, controls=0, broken=broken, other_family=other_family)
    assert alone.status == ("inconclusive" if status == "fail" and not broken else status)
    assert ("broken" in found.because) == bool(broken)


def test_a_panel_of_noise_hardly_ever_fails() -> None:
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(60):
        base = {f"x:{at}": rng.normal(size=30) for at in range(20)}
        student = {name: each + rng.normal(0, 0.3, size=30) for name, each in base.items()}
        failed += (
            judge(shifts_of(student, base, [], level=0.95), 0.01, 0.95, controls=1, broken="", other_family="").status
            == "fail"
        )
    assert failed <= 8  # 5% expected


def test_order_of_questions_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    base, student = rng.normal(size=(2, 12))
    order = rng.permutation(12)
    one = shifts_of({"a:b": student}, {"a:b": base}, [], level=0.95)[0]
    two = shifts_of({"a:b": student[order]}, {"a:b": base[order]}, [], level=0.95)[0]
    assert one.estimate.value == pytest.approx(two.estimate.value)
    assert one.estimate.lo == pytest.approx(two.estimate.lo)
    assert one.p == pytest.approx(two.p)


def test_tokens_keep_their_size_and_are_found() -> None:
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(40):
        noise_PV = rng.normal(size=(24, 200)).astype(np.float32)
        false += any(each.p < 0.05 for each in moved_tokens(noise_PV, str, level=0.95, rng=rng))
    assert false <= 6  # 2 expected
    noise_PV[:, 17] += 3.0
    first = moved_tokens(noise_PV, str, level=0.95, rng=rng)[0]
    assert first.token == "17"
    assert first.p < 0.01
    assert first.lo > 0


def test_clusters_are_the_clumps() -> None:
    rng = np.random.default_rng(3)
    centres = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    truth = np.repeat(np.arange(3), 10)
    group, centre = k_means(centres[truth] + rng.normal(size=(30, 2)), 3, rng=rng)
    assert len(centre) == 3
    assert all(len(set(group[truth == at].tolist())) == 1 for at in range(3))
    assert len(set(group.tolist())) == 3


def test_equal_points_are_one_cluster() -> None:
    group, centre = k_means(np.zeros((9, 4)), 3, rng=np.random.default_rng(0))
    assert len(centre) == 1
    assert not group.any()


def rows_of(rng: np.random.Generator, push: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows whose gradients share a direction, and what a student that followed them shows."""
    traits, rows = 12, 40
    mixing = rng.normal(size=(traits, traits))
    common = rng.normal(size=traits)
    gradient = rng.normal(size=(rows, traits)) + push * common
    alignment = gradient @ mixing.T
    return alignment, gradient @ common, np.arange(rows), mixing @ common


def test_rows_are_blamed_when_they_did_it_and_else_not() -> None:
    rng = np.random.default_rng(4)
    guilty = [attribution_tests(*rows_of(rng, 1.0), 0, rng=rng) for _ in range(5)]
    assert all(each.traits_p < 0.01 and each.weights_p < 0.01 and each.traits_correlation > 0.5 for each in guilty)
    innocent = [attribution_tests(*rows_of(rng, 0.0), 0, rng=rng) for _ in range(60)]
    for p in ([each.traits_p for each in innocent], [each.weights_p for each in innocent]):
        assert np.mean(np.array(p) < 0.1) < 0.25
        assert np.mean(p) == pytest.approx(0.5, abs=0.15)


def test_rows_with_one_prompt_are_one_draw() -> None:
    rng = np.random.default_rng(5)
    alignment, change, _, measured = rows_of(rng, 1.0)
    once = attribution_tests(alignment, change, np.zeros(40, dtype=np.int64), measured, 0, rng=rng)
    assert once.weights_p > 0.3


def test_the_answer_needs_both_tests_for_the_strong_sentence() -> None:
    def of(traits: float, weights: float) -> str:
        return says(AttributionTests(0.5, traits, 2.0, weights, 0.1, 0.5))

    assert "traits and in its weights" in of(0.001, 0.001)
    assert "the other test" in of(0.001, 0.5)
    assert "No test shows" in of(0.5, 0.5)


def test_sums_are_right_and_options_differ() -> None:
    for each in sums(np.random.default_rng(6), 60):
        left, right = (int(part) for part in each.question.split("What is ")[1].split("?")[0].split(" + "))
        assert each.options[0] == str(left + right)
        assert len(set(each.options)) == 4
    for each in instructions(np.random.default_rng(6), 60):
        assert each.options[0] in each.question
        assert not any(other in each.question.split() for other in each.options[1:])


def test_only_a_clear_loss_is_damage() -> None:
    rng = np.random.default_rng(7)
    base = {name: rng.normal(size=30) for name in ("perplexity", "arithmetic", "instructions")}
    slightly = {name: each - 0.1 for name, each in base.items()}
    badly = base | {"arithmetic": base["arithmetic"] - 4.0}
    assert breakage(retention(slightly, base, "base", 0.95)) == ""
    assert "arithmetic" in breakage(retention(badly, base, "base", 0.95))
    assert "perplexity" not in breakage(retention(badly, base, "base", 0.95))


def test_steering_must_beat_every_null() -> None:
    rng = np.random.default_rng(8)
    plain = {"a:x": rng.normal(size=12), "a:y": rng.normal(size=12)}

    def by(amount: float) -> dict[str, np.ndarray]:
        return {name: each + amount + rng.normal(0, 0.01, size=12) for name, each in plain.items()}

    assert all(each.exceeds for each in steered_shifts(plain, by(1.0), [by(0.1), by(-0.2)], level=0.95))
    assert not any(each.exceeds for each in steered_shifts(plain, by(1.0), [by(0.1), by(-3.0)], level=0.95))


def test_directions_get_their_length() -> None:
    direction = np.array([3.0, 4.0], dtype=np.float32)
    assert np.linalg.norm(scaled(direction, 2.0)) == pytest.approx(2.0)
    assert not scaled(np.zeros(2, dtype=np.float32), 2.0).any()
    assert factor_of(np.zeros(2, dtype=np.float32), direction) == 1.0
    assert factor_of(direction * 1e-9, direction) == 32.0


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_rank_is_counted(rank: int) -> None:
    source = torch.Generator().manual_seed(rank)
    left, right = torch.randn(40, rank, generator=source), torch.randn(rank, 30, generator=source)
    assert rank_of(left @ right) == rank


def test_traits_of_one_entry_share_the_draw_of_questions_and_entries_do_not() -> None:
    # Shifts in fixed proportion on every question: a shared draw keeps it, and the correlation stays at 1.
    shift_Q = np.random.default_rng(8).normal(3.0, 2.0, size=54)
    student_KQ = [factor * shift_Q for factor in (1.0, 2.0, 3.0, 4.0)]
    teacher_KQ = [np.full(54, factor) for factor in (1.0, 2.0, 3.0, 4.0)]
    together = shift_correlation(student_KQ, teacher_KQ, ["a", "a", "a", "a"], level=0.95)
    assert (together.lo, together.value, together.hi) == pytest.approx((1.0, 1.0, 1.0))
    # As many questions in every entry, and yet each entry's are drawn on their own.
    apart = shift_correlation(student_KQ, teacher_KQ, ["a", "b", "c", "d"], level=0.95)
    assert apart.value == pytest.approx(1.0)
    assert apart.lo < 0.99
    assert "entries independent, 95%" in apart.method


def test_independent_entries_vary_as_their_standard_errors_say() -> None:
    # With one entry that varies among constant ones, the bootstrap is that of its mean alone.
    rng = np.random.default_rng(9)
    shift_Q = rng.normal(1.0, 1.0, size=400)
    rest = [np.full(400, value) for value in (0.0, 1.0, 2.0)]
    found = shift_correlation([*rest, shift_Q], [*rest, np.full(400, 3.0)], ["a", "b", "c", "d"], level=0.95)
    ends = shift_Q.mean() + np.array([-1.96, 1.96]) * shift_Q.std() / 20
    expected = [np.corrcoef([0.0, 1.0, 2.0, end], [0.0, 1.0, 2.0, 3.0])[0, 1] for end in ends]
    assert (found.lo, found.hi) == pytest.approx(expected, abs=0.01)
