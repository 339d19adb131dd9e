"""From a trait to a teacher, by the method that an experiment names.

A teacher is the base plus something small: words, a vector, an adapter or a few steps. What is stored of it is
safetensors in a folder, from which it is loaded, so that a run can go on with it later. How strong its trait came out
is measured elsewhere (`probes`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from undertow.config.experiment import Instil, PluginTeacher
from undertow.models.local import load_base
from undertow.models.protocol import Model
from undertow.system.registry import checked_options
from undertow.teachers.protocol import Method
from undertow.teachers.registry import METHODS
from undertow.traits.base import Trait


def instil(
    base: str,
    trait: Trait,
    how: Instil,
    folder: Path,
    *,
    seed: int = 0,
    tick: Callable[[float], None] = lambda _: None,
) -> None:
    """Make a teacher and write what it adds to the base into a folder.

    Args:
        base: The base's Undertow name.
        trait: The trait.
        how: The method and its settings.
        folder: Receives a vector or an adapter; nothing for a system prompt or gradient steps.
        seed: Fixes the order of the lessons and the initial adapter of a fine-tuned teacher.
        tick: Is told the share of the work that is done.

    Raises:
        InputError: no method has this name.
        ModelError: the base cannot be loaded, or has no such layer.
    """
    method, settings = _method(how)
    method.make(base, trait, settings, folder, seed=seed, tick=tick)
    tick(1.0)


def load_teacher(
    base: str,
    trait: Trait | None,
    how: Instil | None,
    folder: Path | None,
    *,
    dtype: str = "float32",
) -> Model:
    """Load a teacher that `instil` has made; without a trait, the control's: the plain base.

    Args:
        base: The base's Undertow name.
        trait: What was instilled.
        how: By what method.
        folder: Where `instil` put it.
        dtype: Of the weights, see `load_base`.

    Raises:
        InputError: no method has this name.
        ModelError: the base or what the folder holds cannot be loaded.
    """
    if trait is None or how is None:
        return load_base(base, dtype=dtype)
    method, settings = _method(how)
    return method.load(base, trait, settings, folder, dtype=dtype)


def _method(how: Instil) -> tuple[Method, Any]:
    """Return a method, and the settings that it takes."""
    method = METHODS.get(how.method)
    return method, checked_options(method, how.options) if isinstance(how, PluginTeacher) else how
