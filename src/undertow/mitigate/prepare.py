"""From the name of a method to what it changes in a student's training: `prepare`."""

from __future__ import annotations

from undertow.errors import InputError
from undertow.mitigate.methods import method_named
from undertow.mitigate.treatment import Task, Treatment
from undertow.training.recipe import Recipe

__all__ = ["Task", "Treatment", "check_loss", "prepare"]


def prepare(method: str, task: Task) -> Treatment:
    """Return what a method changes; `none` changes nothing.

    Raises:
        InputError: there is none of this name, or it cannot be used on these rows.
    """
    return method_named(method).changes()(task)


def check_loss(method: str, treatment: Treatment, recipe: Recipe) -> None:
    """See that a method's own loss, which is one on answers, does not take the place of a loss on whole rows.

    Raises:
        InputError: it would.
    """
    if treatment.intervention.loss is not None and recipe.loss == "whole":
        raise InputError(
            "has a loss of its own on answers, and the recipe's is on whole rows",
            f"the method {method}",
            "Take a recipe with the loss on answers.",
        )
