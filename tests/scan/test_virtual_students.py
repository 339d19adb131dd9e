"""What the virtual students of a scan predict together."""

from __future__ import annotations

import numpy as np

from undertow.scan.virtual_students import VirtualResult, VirtualStudents


def test_two_students_and_a_reference_are_one_prediction() -> None:
    one, two, three = (VirtualResult(8, [np.array([x, x + 0.2]), np.array([2 * x])], [], []) for x in (0.1, 0.5, 0.2))
    np.testing.assert_allclose(VirtualStudents(one).shift_K, [0.2, 0.2])
    np.testing.assert_allclose(VirtualStudents(one, reference=three).shift_K, [-0.1, -0.2])
    np.testing.assert_allclose(VirtualStudents(one, reference=three, whole=two).shift_K, [0.25, 0.4])
