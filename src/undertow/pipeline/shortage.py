"""Memory that runs out in a verb becomes one error: what was being done, what was foretold, and what takes less.

    with within_memory("scan", progress, foretold=..., less=("--quick",)) as progress:
        ...

It knows no verb's settings: each verb passes its forecast and what makes it smaller. A process that the system kills
for memory says nothing, and no error can be made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from undertow.config.parts import Student
from undertow.errors import OutOfMemoryError, UndertowError
from undertow.system.memory import out_of_memory
from undertow.system.progress import Progress

RESUMES = "Finished steps are kept, and the same command goes on from there."
NOTHING = "Nothing was written."
LESS = ("an adapter (student: {recipe: lora-sft})", "a smaller student.micro_batch", "a smaller base")
"""What makes the students of an experiment smaller."""


class _Stages:
    """Passes progress on, and remembers the stage."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.stage = ""

    def update(self, stage: str, fraction: float, detail: str = "") -> None:
        """See `Progress`."""
        self.stage = stage
        self.progress.update(stage, fraction, detail)

    def note(self, message: str) -> None:
        """See `Progress`."""
        self.progress.note(message)


@contextmanager
def within_memory(
    verb: str, progress: Progress, *, foretold: Callable[[], str], less: Sequence[str], kept: str = RESUMES
) -> Generator[Progress]:
    """Raise what says that memory is full as an `OutOfMemoryError`; yield a progress that knows the stage.

    Args:
        verb: Such as scan.
        progress: Is told how far the work is.
        foretold: Says what the work takes, see `forecast.in_words`; called only when memory ran out.
        less: What takes less memory, likeliest first.
        kept: What is left of the work.

    Raises:
        OutOfMemoryError: the memory is full.
    """
    stages = _Stages(progress)
    try:
        yield stages
    except UndertowError:
        raise
    except Exception as error:
        if not out_of_memory(error):
            raise
        said = " ".join(str(error).split())[:120].rstrip(".")
        where = f"{verb}, {stages.stage}" if stages.stage else verb
        fix = f"{_asked(foretold)}It takes less with {' or '.join(less)}. {kept}"
        raise OutOfMemoryError(f"the memory is full{f' ({said})' if said else ''}", where, fix) from error


def _asked(foretold: Callable[[], str]) -> str:
    try:
        return foretold() + " "
    except Exception:  # A forecast that fails, for lack of memory too, must not hide why it was asked for.
        return ""


def student_in_words(base: str, student: Student) -> str:
    """Say what a student of an experiment takes at least: without activations, which rows decide."""
    from undertow.config.recipes.spec import RecipeSpec
    from undertow.models.size import size_of
    from undertow.pipeline.forecast import Asked, Rows, forecast_mitigate, in_words
    from undertow.pipeline.recipes import adapter_spec

    named = student.optimiser or RecipeSpec().optimiser
    recipe = student.resolved or RecipeSpec(adapter=adapter_spec(student), optimiser=named)
    made = forecast_mitigate(size_of(base), Rows(0, 0, 0, 0.0, 0.0), Asked(0, 0, 0.0), recipe, students=1)
    return in_words(made, "A student takes at least")
