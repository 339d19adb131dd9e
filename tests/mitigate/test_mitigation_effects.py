"""What is left of a transfer, and of a task: by hand, and what is said of it."""

from __future__ import annotations

import numpy as np
import pytest

from undertow.mitigate.effects import Treated, judge

RNG = np.random.default_rng(0)
CONTROL_SQ = RNG.normal(0.0, 1.0, size=(3, 20))
GAIN_SQ = 0.4 + RNG.normal(0.0, 0.02, size=(3, 20))
BASE_SR = 3.0 + RNG.normal(0.0, 0.2, size=(3, 30))


def treated(left: float, utility: float, generic: float = 0.0) -> Treated:
    control_SQ = CONTROL_SQ + generic
    return Treated(control_SQ + left * GAIN_SQ, control_SQ, BASE_SR - utility * 1.5, np.array([0.9, 1.0, 0.8]))


PLAIN = treated(1.0, 1.0)


def test_shares_are_those_that_were_put_in() -> None:
    records, effects, verdict = judge(
        "owl", BASE_SR, PLAIN, {"format": treated(0.1, 0.98, generic=-2.0), "drop": treated(0.6, 0.8)}, level=0.95
    )
    none, form, drop = records
    assert (none.method, form.method, drop.method) == ("none", "format", "drop")
    for record, left, utility in ((none, 1.0, 1.0), (form, 0.1, 0.98), (drop, 0.6, 0.8)):
        assert record.left is not None
        assert record.utility is not None
        assert record.left.value == pytest.approx(left)
        assert record.utility.value == pytest.approx(utility)
        assert record.in_format == pytest.approx(0.9)
    assert form.needs == ["format"]
    assert [each.contrast for each in effects] == ["format", "drop"]
    assert effects[0].value == pytest.approx(0.9 * GAIN_SQ.mean())
    assert all(each.p_adjusted is not None and each.p is not None and each.p <= each.p_adjusted for each in effects)
    assert verdict.status == "pass"
    assert "format" in verdict.because
    assert "drop" not in verdict.because


@pytest.mark.parametrize(("left", "utility"), [(0.5, 1.0), (0.0, 0.5), (-0.9, 1.0)])
def test_removing_too_little_costing_too_much_or_turning_it_round_is_no_pass(left: float, utility: float) -> None:
    assert judge("owl", BASE_SR, PLAIN, {"drop": treated(left, utility)}, level=0.95)[2].status == "fail"


def test_what_only_the_estimate_reaches_is_inconclusive() -> None:
    noisy = treated(0.1, 1.0)
    noisy = Treated(
        noisy.trait_SQ + np.array([[-0.3], [0.0], [0.3]]), noisy.control_SQ, noisy.loss_SR, noisy.in_format_S
    )
    assert judge("owl", BASE_SR, PLAIN, {"leash": noisy}, level=0.95)[2].status == "inconclusive"


def test_without_a_transfer_nothing_is_said_to_be_left() -> None:
    nothing = treated(0.0, 1.0)
    records, _, verdict = judge("owl", BASE_SR, nothing, {"leash": nothing}, level=0.95)
    assert records[1].left is None
    assert verdict.status == "fail"
