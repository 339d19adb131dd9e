"""The kind of pass that a person wants models to be computed by; `selection` finds the pass.

    with engine("generic"):
        model = load_model("hf/FOLDER")

It holds for models that are loaded in the context, and goes where they go. It needs no torch.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from undertow.config.engine import Engine

_engine: ContextVar[Engine] = ContextVar("undertow_engine", default="auto")


@contextmanager
def engine(name: Engine) -> Generator[None]:
    """Have models that are loaded in this context computed by one kind of pass."""
    token = _engine.set(name)
    try:
        yield
    finally:
        _engine.reset(token)


def engine_wanted() -> Engine:
    """Return the kind of pass that models are computed by here."""
    return _engine.get()


def engine_key() -> dict[str, str]:
    """Return what the key of a step holds of the kind of pass: nothing where it is chosen for each model."""
    return {} if engine_wanted() == "auto" else {"engine": engine_wanted()}
