"""Intervals, tests and transfer fractions of paired arms: oracles, invariances, edge cases, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import DescrStatsW

from undertow.errors import InputError
from undertow.stats import (
    cluster_bootstrap,
    mean_estimate,
    paired_difference,
    paired_test,
    permutation_p,
    transfer_fraction,
)

numbers = st.floats(-1e3, 1e3, allow_nan=False).map(lambda x: round(x, 6))
shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=7)
several = hnp.arrays(np.float64, shapes.filter(lambda s: s[0] * s[1] > 1), elements=numbers)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# --- intervals


def test_one_question_is_the_classical_t_interval():
    x = rng().normal(0.3, 1, size=(8, 1))
    estimate = mean_estimate(x, level=0.9)
    lo, hi = DescrStatsW(x[:, 0]).tconfint_mean(alpha=0.1)
    assert (estimate.lo, estimate.hi) == pytest.approx((lo, hi))
    assert estimate.n == 8
    assert estimate.method == "t interval over 8 seeds, 90%"


def test_one_seed_falls_back_to_questions_and_says_so():
    x = rng().normal(size=(1, 50))
    estimate = mean_estimate(x)
    assert (estimate.lo, estimate.hi) == pytest.approx(DescrStatsW(x[0]).tconfint_mean())
    assert estimate.n == 50
    assert "50 questions of one seed" in estimate.method


def test_questions_that_share_a_seeds_luck_add_no_certainty():
    """Repeating the one column of a table 50 times must not narrow the interval."""
    column = rng().normal(size=(4, 1))
    one, many = mean_estimate(column), mean_estimate(np.repeat(column, 50, axis=1))
    assert (many.lo, many.hi) == pytest.approx((one.lo, one.hi))


def test_methods_name_replicates_and_level():
    x = rng().normal(size=(3, 4))
    boot = cluster_bootstrap(x, rng=rng(), resamples=100, level=0.9)
    assert boot.method == "cluster bootstrap over 3 seeds x 4 questions, 100 resamples, 90%"
    one = cluster_bootstrap(x[:1], rng=rng(), resamples=100)
    assert (one.n, one.method) == (4, "cluster bootstrap over 4 questions of one seed, 100 resamples, 95%")
    assert mean_estimate(x[:1], level=0.9).method == "t interval over 4 questions of one seed, 90%"
    teacher, zero = np.full((1, 4), 9.0), np.zeros_like(x)
    many = transfer_fraction(x, zero, teacher, np.zeros(4), level=0.9)
    lone = transfer_fraction(x[:1], zero[:1], teacher, np.zeros(4))
    assert many is not None
    assert many.method == "Fieller interval over 3 seeds, 90%"
    assert lone is not None
    assert (lone.n, lone.method) == (4, "Fieller interval over 4 questions of one seed, 95%")


def test_two_seeds_are_seeds_and_not_questions():
    x = rng().normal(size=(2, 4))
    assert paired_test(x, rng=rng()).method == "t test over 2 seeds"
    estimate, boot = mean_estimate(x), cluster_bootstrap(x, rng=rng(), resamples=100)
    assert (estimate.n, boot.n) == (2, 2)
    assert estimate.method.startswith("t interval over 2 seeds")
    assert boot.method.startswith("cluster bootstrap over 2 seeds x 4 questions, ")
    moved = transfer_fraction(x, np.zeros_like(x), np.full((1, 4), 9.0), np.zeros(4))
    assert moved is not None
    assert moved.method.startswith("Fieller interval over 2 seeds, ")
    assert permutation_p([[4.0, -3.0], [5.0, 5.0]], rng=rng()) == 2 / 4


def test_the_bootstrap_keeps_its_level():
    x = rng().normal(size=(30, 40))
    estimates = [cluster_bootstrap(x, rng=rng(), resamples=9000, level=level) for level in (0.5, 0.9, 0.99)]
    widths = np.array([estimate.hi - estimate.lo for estimate in estimates])
    expected = scipy_stats.norm.ppf([0.75, 0.95, 0.995])
    np.testing.assert_allclose(widths / widths[1], expected / expected[1], rtol=0.05)


def test_crossed_interval_matches_the_textbook_formula():
    """Two-way mean squares by statsmodels' ANOVA, then Satterthwaite by hand."""
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    source = rng()
    seeds, questions = 4, 6
    x = source.normal(size=(1, questions)) + source.normal(0, 0.1, size=(seeds, questions))
    s, q = np.indices(x.shape)
    frame = pd.DataFrame({"y": x.ravel(), "s": s.ravel(), "q": q.ravel()})
    table = anova_lm(ols("y ~ C(s) + C(q)", frame).fit())
    square, df = table["sum_sq"] / table["df"], table["df"]
    extra = square["C(q)"] - square["Residual"]
    extra_df = extra**2 / (square["C(q)"] ** 2 / df["C(q)"] + square["Residual"] ** 2 / df["Residual"])
    total = square["C(s)"] + extra
    total_df = total**2 / (square["C(s)"] ** 2 / df["C(s)"] + extra**2 / extra_df)
    half = scipy_stats.t.ppf(0.975, total_df) * math.sqrt(total / x.size)
    estimate = mean_estimate(x)
    assert estimate.method == "t interval over 4 seeds x 6 questions, 95%"
    assert (estimate.lo, estimate.hi) == pytest.approx((x.mean() - half, x.mean() + half))


def test_equal_arms_give_a_zero_interval_without_nan():
    a = rng().normal(size=(3, 5))
    estimate = paired_difference(a, a)
    assert (estimate.value, estimate.lo, estimate.hi) == (0, 0, 0)
    assert estimate.method == "no variation between 3 seeds"
    assert paired_test(a - a, rng=rng()).p == 1


@pytest.mark.parametrize("shape", [(3, 5), (8, 1), (1, 9), (2, 1)])
def test_constant_difference_gives_a_point_and_an_honest_p(shape):
    """Identical replicates may be copies of one: the flips alone speak, and say at most 2 / 2^n."""
    diff = np.full(shape, 0.1) * 3
    estimate = mean_estimate(diff)
    assert estimate.lo == estimate.hi == pytest.approx(0.3)
    replicates = shape[0] if shape[0] > 1 else shape[1]
    assert paired_test(diff, rng=rng()).p == 2 / 2**replicates


@given(several)
def test_interval_is_finite_ordered_and_never_narrower_than_the_seeds_t(x):
    estimate = mean_estimate(x)
    assert -math.inf < estimate.lo <= estimate.value <= estimate.hi < math.inf
    if x.shape[0] > 1:
        rows = x.mean(axis=1)
        half = scipy_stats.t.ppf(0.975, len(rows) - 1) * rows.std(ddof=1) / math.sqrt(len(rows))
        assert estimate.hi - estimate.value >= half * (1 - 1e-9) - 1e-9


@given(several, st.randoms(use_true_random=False))
def test_estimate_and_test_do_not_depend_on_the_order(x, random):
    rows, columns = list(range(x.shape[0])), list(range(x.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    y = x[np.ix_(rows, columns)]
    first, second = mean_estimate(x), mean_estimate(y)
    assert (first.lo, first.value, first.hi) == pytest.approx((second.lo, second.value, second.hi), abs=1e-6)
    assert permutation_p(x, rng=rng()) == permutation_p(y, rng=rng())
    assert paired_test(x, rng=rng()).p == pytest.approx(paired_test(y, rng=rng()).p, rel=1e-4)


@given(several)
def test_swapping_the_arms_flips_the_sign_and_nothing_else(x):
    zero = np.zeros_like(x)
    there, back = paired_difference(x, zero), paired_difference(zero, x)
    assert (there.lo, there.value, there.hi) == pytest.approx((-back.hi, -back.value, -back.lo))
    assert paired_test(x, rng=rng()).p == pytest.approx(paired_test(-x, rng=rng()).p)


@given(several, st.floats(0.01, 100), st.floats(-10, 10))
def test_interval_follows_a_change_of_unit_and_origin(x, scale, shift):
    before, after = mean_estimate(x), mean_estimate(scale * x + shift)
    expected = (scale * before.lo + shift, scale * before.hi + shift)
    assert (after.lo, after.hi) == pytest.approx(expected, rel=1e-6, abs=1e-5 * scale)


def test_higher_level_is_wider():
    x = rng().normal(size=(4, 5))
    widths = [e.hi - e.lo for e in (mean_estimate(x, level=level) for level in (0.5, 0.9, 0.99))]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]


def test_interval_changes_smoothly_where_questions_begin_to_matter():
    """At equal mean squares rounding decides which rule applies, and it must not matter."""
    x = np.zeros((3, 2))
    x[2, 1] = 529.0
    widths = [e.hi - e.lo for e in (mean_estimate(x + np.array([0, nudge])) for nudge in (-1e-7, 0, 1e-7))]
    assert max(widths) == pytest.approx(min(widths), rel=1e-6)


# --- tests


def test_permutation_p_enumerates_the_seed_flips():
    assert permutation_p([[1.0], [2.0], [3.0]], rng=rng()) == 2 / 8
    assert permutation_p([[1.0], [2.0], [-3.0]], rng=rng()) == 1
    # |1+2-0.5| is reached or passed by +-(1,2,-0.5) and +-(1,2,0.5).
    assert permutation_p([[1.0], [2.0], [-0.5]], rng=rng()) == 4 / 8


def test_all_flips_are_enumerated_where_they_are_no_more_than_asked_for():
    x = rng().normal(0.4, 1, size=(13, 1))
    exact = permutation_p(x, rng=rng(), resamples=2**13)
    oracle = scipy_stats.permutation_test((x[:, 0],), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert exact == pytest.approx(oracle.pvalue, abs=1e-12)
    drawn = permutation_p(x, rng=rng(), resamples=2**13 - 1)
    assert drawn * 2**13 == pytest.approx(round(drawn * 2**13)), "one of 2^13, the observed flip among them"
    assert drawn != exact
    assert permutation_p(x, rng=rng(), resamples=1) in (0.5, 1.0)
    assert permutation_p(rng().normal(size=(70, 1)), rng=rng(), resamples=9) >= 0.1


def test_the_flips_decide_alone_where_nothing_varies_and_name_themselves():
    test = paired_test(np.full((5, 2), 0.25), rng=rng())
    assert (test.p, test.method) == (2 / 2**5, "sign flips of 5 seeds, which do not vary")
    assert paired_test([[2.0]], rng=rng()).method == "none: a single number"


@pytest.mark.parametrize("seeds", [7, 8])
def test_flips_count_from_eight_replicates(seeds):
    x = rng().normal(1.0, 0.2, size=(seeds, 1))
    test = paired_test(x, rng=rng())
    t = scipy_stats.ttest_1samp(x[:, 0], 0).pvalue
    assert test.p == pytest.approx(t if seeds < 8 else max(t, permutation_p(x, rng=rng())))
    assert test.method.startswith("t test over 7 seeds" if seeds < 8 else "sign flips and t test over 8 seeds")


def test_permutation_p_matches_scipy_when_flips_are_drawn():
    x = rng().normal(0.5, 1, size=(16, 3))
    drawn = permutation_p(x, rng=rng(), resamples=9_999)
    exact = permutation_p(x, rng=rng(), resamples=2**16)
    oracle = scipy_stats.permutation_test(
        (x.mean(axis=1),), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert exact == pytest.approx(oracle)
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact / 9_999))


def test_p_is_never_zero():
    huge = 1e6 + rng().normal(size=(40, 2))
    assert permutation_p(huge, rng=rng(), resamples=99) == 1 / 100
    assert 0 < paired_test(huge[:5], rng=rng()).p < 1e-6
    assert 0 < paired_test(huge, rng=rng()).p <= 1 / 10_000


@settings(max_examples=60)
@given(several)
def test_p_below_the_level_means_that_the_interval_excludes_zero(x):
    test = paired_test(x, rng=rng())
    assert 0 < test.p <= 1
    if abs(test.p - 0.05) > 1e-6:
        excludes = mean_estimate(x).excludes(0)
        varies = mean_estimate(x).lo < mean_estimate(x).hi
        if test.p < 0.05:
            assert excludes
        elif max(x.shape[0], 1) in range(2, 8) and varies:
            assert not excludes


def test_method_names_what_was_done():
    x = rng().normal(size=(14, 9))
    assert paired_test(x[:3], rng=rng()).method == "t test over 3 seeds"
    assert paired_test(x, rng=rng()).method == "sign flips and t test over 14 seeds, the larger p"
    assert "9 questions of one seed" in paired_test(x[:1], rng=rng()).method
    assert paired_test([[2.0]], rng=rng()).p == 1


def test_bootstrap_interval_holds_the_mean_and_repeats_with_its_generator():
    x = rng().normal(size=(9, 12))
    first, second = cluster_bootstrap(x, rng=rng()), cluster_bootstrap(x, rng=rng())
    assert first == second
    assert first.lo < first.value < first.hi
    assert first.value == pytest.approx(x.mean())
    assert first.n == 9


@pytest.mark.parametrize("varies", [(30, 1), (1, 40)])
def test_bootstrap_error_is_that_of_the_pigeonhole_formula(varies):
    """With many resamples the spread is that of the table's rows, columns and residuals together."""
    x = rng().normal(size=(30, 40)) + 2 * rng().normal(size=varies)
    rows, columns = x.mean(axis=1), x.mean(axis=0)
    residual = x - rows[:, None] - columns[None, :] + x.mean()
    se = math.sqrt(rows.var() / 30 + columns.var() / 40 + residual.var() / x.size)
    estimate = cluster_bootstrap(x, rng=rng(), resamples=8000)
    assert (estimate.hi - estimate.lo) / (2 * 1.96) == pytest.approx(se, rel=0.05)


# --- transfer fraction


def test_transfer_fraction_with_one_teacher_and_one_question_scales_the_t_interval():
    source = rng()
    student, control = source.normal(0.5, 0.1, size=(8, 1)), source.normal(0, 0.1, size=(8, 1))
    moved = paired_difference(student, control)
    estimate = transfer_fraction(student, control, [[2.5]], [0.5])
    assert estimate is not None
    expected = (moved.lo / 2, moved.value / 2, moved.hi / 2)
    assert (estimate.lo, estimate.value, estimate.hi) == pytest.approx(expected)
    assert estimate.n == 8


def test_transfer_fraction_per_seed_is_fiellers_closed_form():
    source = rng()
    seeds = 7
    y, x = source.normal(1, 0.4, size=seeds), source.normal(4, 0.8, size=seeds)
    estimate = transfer_fraction(y[:, None], np.zeros((seeds, 1)), x[:, None], [0.0])
    assert estimate is not None
    t2 = scipy_stats.t.ppf(0.975, seeds - 1) ** 2
    (vyy, vyx), (_, vxx) = np.cov(y, x) / seeds
    a, b, c = x.mean() ** 2 - t2 * vxx, y.mean() * x.mean() - t2 * vyx, y.mean() ** 2 - t2 * vyy
    root = math.sqrt(b * b - a * c)
    assert (estimate.lo, estimate.hi) == pytest.approx(((b - root) / a, (b + root) / a))


def test_transfer_fraction_is_exact_when_students_move_in_proportion():
    teacher = rng().uniform(1, 5, size=(1, 20))
    student = np.repeat(0.25 * teacher, 4, axis=0)
    estimate = transfer_fraction(student, np.zeros((4, 20)), teacher, np.zeros(20))
    assert estimate is not None
    assert (estimate.lo, estimate.value, estimate.hi) == pytest.approx((0.25, 0.25, 0.25))


def test_transfer_fraction_is_uncertain_where_only_the_teachers_vary():
    teacher = rng().normal(4, 0.5, size=(6, 1))
    moved = np.ones((6, 1))
    estimate = transfer_fraction(moved, np.zeros((6, 1)), teacher, [0.0])
    strength = mean_estimate(teacher)
    assert estimate is not None
    assert (estimate.lo, estimate.hi) == pytest.approx((1 / strength.hi, 1 / strength.lo))


@pytest.mark.parametrize("strength", [0.0, -3.0])
def test_transfer_fraction_is_undefined_for_a_teacher_without_the_trait(strength):
    source = rng()
    student, control = source.normal(size=(2, 4, 10))
    teacher = strength + source.normal(size=(1, 10))
    assert transfer_fraction(student, control, teacher, np.zeros(10)) is None


def test_transfer_fraction_takes_a_base_per_seed():
    source = rng()
    student, control, base = source.normal(size=(3, 6, 1))
    with_base = transfer_fraction(student, control, base + 3 + 0.1 * student, base)
    without = transfer_fraction(student, control, 3 + 0.1 * student, [0.0])
    assert with_base is not None
    assert without is not None
    assert (with_base.lo, with_base.hi) == pytest.approx((without.lo, without.hi))


@given(several.filter(lambda x: x.shape[0] > 1), st.floats(0.1, 10))
def test_transfer_fraction_does_not_depend_on_the_unit(x, scale):
    teacher = np.full((1, x.shape[1]), 2.0)
    zero, base = np.zeros_like(x), np.zeros(x.shape[1])
    one = transfer_fraction(x, zero, teacher, base)
    other = transfer_fraction(scale * x, zero, scale * teacher, base)
    assert one is not None
    assert other is not None
    assert (one.lo, one.hi) == pytest.approx((other.lo, other.hi), rel=1e-6, abs=1e-6)


# --- bad input

BAD_TABLES = {
    "empty": (np.zeros((0, 3)), "empty"),
    "one axis": (np.zeros(3), "has shape"),
    "nan": (np.array([[1.0, math.nan]]), "not finite"),
    "inf": (np.array([[1.0, math.inf]]), "not finite"),
    "text": ([["a", "b"]], "no array of numbers"),
    "ragged": ([[1.0, 2.0], [1.0]], "no array of numbers"),
}


@pytest.mark.parametrize("bad", BAD_TABLES)
def test_bad_tables_are_refused(bad):
    table, message = BAD_TABLES[bad]
    good = np.ones((1, 2))
    for call in (
        lambda: mean_estimate(table),
        lambda: paired_difference(good, table),
        lambda: cluster_bootstrap(table, rng=rng()),
        lambda: permutation_p(table, rng=rng()),
        lambda: paired_test(table, rng=rng()),
        lambda: transfer_fraction(good, good, table, [0.0, 0.0]),
        lambda: transfer_fraction(table, good, good, [0.0, 0.0]),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_arms_must_be_paired():
    a = np.ones((3, 4))
    with pytest.raises(InputError, match=r"a_SQ, b_SQ: the shapes \(3, 4\) and \(3, 5\) differ"):
        paired_difference(a, np.ones((3, 5)))
    with pytest.raises(InputError, match=r"teacher_TQ: has shape \(1, 5\) beside students of shape \(3, 4\)"):
        transfer_fraction(a, a, np.ones((1, 5)), np.zeros(5))
    with pytest.raises(InputError, match=r"base_Q: has shape \(3,\) beside teachers of shape \(1, 4\)"):
        transfer_fraction(a, a, np.ones((1, 4)), np.zeros(3))
    with pytest.raises(InputError, match=r"control_SQ: is empty \(shape \(0, 4\)\)\n  Measure at least one"):
        transfer_fraction(a, np.ones((0, 4)), a, np.zeros(4))
    with pytest.raises(InputError, match="same seeds and questions"):
        transfer_fraction(a, np.ones((2, 4)), a, np.zeros(4))
    with pytest.raises(InputError, match="one row per seed"):
        transfer_fraction(a, a, np.ones((2, 4)), np.zeros(4))
    for base in (np.zeros(3), np.zeros((2, 4))):
        with pytest.raises(InputError, match="one row per teacher"):
            transfer_fraction(a, a, np.ones((1, 4)), base)
    with pytest.raises(InputError, match="base_Q: is no array of numbers"):
        transfer_fraction(a, a, np.ones((1, 4)), [[1.0], [1.0, 2.0]])


def test_values_that_are_not_finite_are_counted_and_placed():
    x = np.ones((3, 4))
    x[1, 2] = x[2, 0] = math.nan
    for call, where in (
        (lambda: mean_estimate(x), "x_SQ"),
        (lambda: paired_difference(x, np.ones((3, 4))), "a_SQ"),
        (lambda: paired_difference(np.ones((3, 4)), x), "b_SQ"),
        (lambda: cluster_bootstrap(x, rng=rng()), "diff_SQ"),
        (lambda: permutation_p(x, rng=rng()), "diff_SQ"),
        (lambda: paired_test(x, rng=rng()), "diff_SQ"),
        (lambda: transfer_fraction(x, x, x, np.zeros(4)), "student_SQ"),
        (lambda: transfer_fraction(np.ones((3, 4)), x, x, np.zeros(4)), "control_SQ"),
        (lambda: transfer_fraction(np.ones((3, 4)), np.ones((3, 4)), x, np.zeros(4)), "teacher_TQ"),
        (lambda: transfer_fraction(np.ones((3, 4)), np.ones((3, 4)), np.ones((3, 4)), x), "base_Q"),
    ):
        with pytest.raises(InputError) as raised:
            call()
        assert raised.value.where == where
        assert raised.value.what == "holds 2 values that are not finite, the first at (1, 2)"
        assert "leave its seed out" in raised.value.fix


def test_a_single_number_has_no_interval():
    with pytest.raises(InputError, match="single number"):
        mean_estimate([[1.0]])
    with pytest.raises(InputError, match="single number"):
        transfer_fraction([[1.0]], [[0.0]], [[1.0]], [0.0])
    with pytest.raises(InputError, match=r"diff_SQ: one seed and one question cannot be resampled\n  Run two"):
        cluster_bootstrap([[1.0]], rng=rng())


@pytest.mark.parametrize("level", [0.0, 1.0, -1.0, math.nan, 95.0])
def test_levels_are_between_zero_and_one(level):
    x = [[1.0], [2.0]]
    for call in (
        lambda: mean_estimate(x, level=level),
        lambda: paired_difference(x, [[0.0], [0.0]], level=level),
        lambda: cluster_bootstrap(x, rng=rng(), level=level),
        lambda: transfer_fraction(x, [[0.0], [0.0]], [[3.0]], [0.0], level=level),
    ):
        with pytest.raises(InputError, match=r"^level: is ") as raised:
            call()
        assert "between 0 and 1" in raised.value.fix


def test_resamples_must_be_enough():
    with pytest.raises(InputError, match=r"resamples: is 99\n  Draw at least 100"):
        cluster_bootstrap([[1.0], [2.0]], rng=rng(), resamples=99)
    with pytest.raises(InputError, match=r"resamples: is 0\n  Draw at least one"):
        permutation_p([[1.0], [2.0]], rng=rng(), resamples=0)
