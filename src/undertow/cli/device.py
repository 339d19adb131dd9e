"""The option that says where models are put."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

from cyclopts import Parameter

Device = Annotated[str, Parameter(metavar="auto|cpu|cuda|cuda:N|balanced")]


@contextmanager
def placed(device: str) -> Generator[None]:
    """Have a verb's models put where its option says.

    Raises:
        InputError: it is no device.
        ModelError: this machine does not have it.
    """
    if device == "auto":
        yield
        return
    from undertow.models.placement import on_device

    with on_device(device):
        yield
