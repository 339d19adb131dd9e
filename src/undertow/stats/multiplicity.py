"""p-values of several effects at once, adjusted so that looking at many makes none significant by luck."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from undertow.errors import InputError
from undertow.stats._checks import Floats, finite


def holm(p: ArrayLike) -> Floats:
    """Adjust p-values so that the chance of any false claim among them is controlled, under any dependence.

    Holm 1979, Scandinavian Journal of Statistics 6(2).

    Args:
        p: One p-value per effect.

    Returns:
        Adjusted p-values in the order given; claim those below 1 - level.

    Raises:
        InputError: not a non-empty list of numbers from 0 to 1.
    """
    value = _p_values(p)
    order = np.argsort(value, kind="stable")
    stepped = np.maximum.accumulate(value[order] * np.arange(len(value), 0, -1))
    return _in_order(stepped, order)


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Adjust p-values so that the expected share of false claims is controlled.

    It needs effects that are independent or positively dependent.

    Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57(1).

    Args:
        p: One p-value per effect.

    Returns:
        Adjusted p-values in the order given.

    Raises:
        InputError: not a non-empty list of numbers from 0 to 1.
    """
    value = _p_values(p)
    order = np.argsort(value, kind="stable")
    scaled = value[order] * len(value) / np.arange(1, len(value) + 1)
    return _in_order(np.minimum.accumulate(scaled[::-1])[::-1], order)


def _p_values(p: ArrayLike) -> Floats:
    value = finite(p, "p", 1)
    if value.min() < 0 or value.max() > 1:
        raise InputError(f"ranges from {value.min():g} to {value.max():g}", "p", "Pass numbers from 0 to 1.")
    return value


def _in_order(adjusted: Floats, order: np.ndarray) -> Floats:
    out = np.empty_like(adjusted)
    out[order] = np.minimum(adjusted, 1.0)
    return out
