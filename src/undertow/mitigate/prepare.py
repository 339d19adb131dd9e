"""From the name of a method to what it changes in a student's training: `prepare`."""

from __future__ import annotations

from undertow.mitigate.methods import method_named
from undertow.mitigate.treatment import Task, Treatment

__all__ = ["Task", "Treatment", "prepare"]


def prepare(method: str, task: Task) -> Treatment:
    """Return what a method changes; `none` changes nothing.

    Raises:
        InputError: there is none of this name, or it cannot be used on these rows.
    """
    return method_named(method).changes()(task)
