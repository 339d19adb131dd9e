"""What every function of `stats` demands of its arguments; an `InputError` names the one that is wrong."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from undertow.errors import InputError

Floats = NDArray[np.float64]


def finite(x: ArrayLike, name: str, *ndims: int) -> Floats:
    """Return `x` as an array of finite numbers whose number of axes is among `ndims`, none of them empty.

    Raises:
        InputError: it is something else.
    """
    try:
        array = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"is no array of numbers ({error})", name, "Pass numbers.") from error
    if array.ndim not in ndims:
        axes = {1: "one axis", 2: "two axes, seeds and questions"}[max(ndims)]
        raise InputError(f"has shape {array.shape}", name, f"Pass an array with {axes}.")
    if array.size == 0:
        raise InputError(f"is empty (shape {array.shape})", name, "Measure at least one seed and question.")
    bad = int(np.count_nonzero(~np.isfinite(array)))
    if bad:
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        fix = "A student that diverged has no score: leave its seed out of every arm, and say so."
        raise InputError(f"holds {bad} values that are not finite, the first at {place}", name, fix)
    return array


def same_shape(a: Floats, b: Floats, names: str) -> None:
    """Raise `InputError` unless both arms have the same seeds and questions."""
    if a.shape != b.shape:
        raise InputError(
            f"the shapes {a.shape} and {b.shape} differ",
            names,
            "Paired arms need the same seeds and questions.",
        )


def level_in_range(level: float, name: str = "level") -> None:
    """Raise `InputError` unless `level` is a probability strictly between 0 and 1."""
    if not (math.isfinite(level) and 0 < level < 1):
        raise InputError(f"is {level!r}", name, "Pass a number between 0 and 1, such as 0.95.")


def percent(level: float) -> str:
    """Write a level the way a reader says it: 0.95 as `95%`, 0.975 as `97.5%`."""
    return f"{100 * level:.6g}%"
