"""The errors that Undertow raises, and what each one means to a user.

One hierarchy: everything that a user can cause or repair is an `UndertowError`. The command line prints it as one
message without a traceback, and exits with the code of its class. A message says what is wrong, where (file, line or
key) and what to do. Anything else that escapes is a bug in Undertow. A bad row is no error but data: readers and
domains return it with its reasons.
"""

from __future__ import annotations


class UndertowError(Exception):
    """Base of every error that a user can act on.

    Args:
        what: What is wrong, with the offending value.
        where: The file, line or key that it concerns.
        fix: What to do about it.

    Examples:
        >>> from pathlib import Path
        >>> from undertow import UndertowError, load_results
        >>> try:
        ...     load_results(Path("nowhere"))
        ... except UndertowError as error:
        ...     print(error.where, "|", error.what, "|", error.fix)
        nowhere | cannot be read (No such file or directory) | Name a run folder or its results.json.
    """

    exit_code = 3

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.fix}" if self.fix else text


class InputError(UndertowError, ValueError):
    """A file, option or value that the user gave cannot be used."""

    exit_code = 2


class SpecError(InputError):
    """An experiment file does not describe an experiment.

    Examples:
        >>> from undertow import load_preset
        >>> load_preset("digits", {"seds": [0, 1]})
        Traceback (most recent call last):
            ...
        undertow.errors.SpecError: ...
          did you mean 'seeds'?
    """


class RowError(InputError):
    """A dataset cannot be read at all (single bad rows are returned, not raised)."""


class MissingExtraError(UndertowError, ImportError):
    """A feature needs an optional dependency that is not installed."""

    exit_code = 2


class AssetError(UndertowError):
    """A model or dataset could not be fetched, or its bytes are not the pinned ones."""


class ModelError(UndertowError):
    """A model cannot be loaded or cannot do what was asked."""


class TeacherError(UndertowError):
    """A teacher does not carry its trait strongly enough to be allowed to write."""


class OutOfMemoryError(UndertowError, MemoryError):
    """The memory of this machine or of its GPU is full."""


class StoreError(UndertowError, OSError):
    """A run folder cannot be read or written."""


class SandboxError(UndertowError):
    """Code was to be run, and there is no sandbox to run it in."""


def nearest(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Return a hint that names the known value closest to `name`, or lists all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return "known: " + ", ".join(sorted(known))
