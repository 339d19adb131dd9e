"""JSON that came from a stranger: `NaN`, doubled keys and numbers out of range are refused; lists are read in pieces.

    for number, record in enumerate(list_entries(file, longest=16_000_000), start=1): ...

Memory is bounded by the longest entry, whatever a gzipped list unpacks to. Of a key that stands twice, readers differ
in which value they take, so a student could be trained on another one than was looked at.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

_CHUNK = 1 << 16
_CUT = 16
"""Characters that a word or an escape has at most, so that a mistake before them is none of the cutting."""
_DIGITS = 300
"""Of a whole number, at most: with fewer it is below the largest float, about 1.8e308."""
_BLANKS = re.compile(r"[ \t\n\r]*")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


class DoubledKeyError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise DoubledKeyError(f"the key {doubled!r} stands twice in one object")
    return made


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a number of {len(text):,} digits is out of range")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text[:20]} is out of range")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_object, parse_int=_integer, parse_float=_number)
_LENIENT = json.JSONDecoder(parse_constant=str, parse_int=str, parse_float=str)


def load_json(data: bytes) -> object:
    """Read one JSON value in UTF-8.

    Raises:
        DoubledKeyError: an object in it has a key twice.
        ValueError: it is no such JSON; `json_problem` says why.
        RecursionError: it is nested too deeply.
    """
    text = data.decode("utf-8")
    try:
        value, end = _DECODER.raw_decode(text)
    except json.JSONDecodeError:
        return _DECODER.decode(text)
    # Most lines are one value from end to end. `decode` looks for blanks around it first, which takes as long as many
    # a row does.
    return value if end == len(text) else _DECODER.decode(text)


def json_problem(error: BaseException) -> str:
    """Say in a few words why `load_json` or `list_entries` refused."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 at byte {error.start + 1}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:200]


def list_entries(file: BinaryIO, longest: int) -> Iterator[object]:
    """Yield the entries of a file that holds one JSON list; of one that `load_json` would refuse, the `ValueError`.

    Args:
        file: Read from where it stands; a byte order mark is skipped.
        longest: Characters of an entry, at most.

    Raises:
        ValueError: it is no such JSON, or an entry is longer; entries before that have been yielded. A
            `json.JSONDecodeError` has the line and the column in the file.
        RecursionError: it is nested too deeply.
    """
    window = _Window(file)
    if window.peek() != "[":
        raise window.error("Expecting a list")
    window.at += 1
    if window.peek() == "]":
        window.at += 1
    else:
        while True:
            yield window.value(longest)
            mark = window.peek()
            window.at += 1
            if mark == "]":
                break
            if mark != ",":
                window.at -= 1
                raise window.error("Expecting ',' delimiter")
    if window.peek():
        raise window.error("Extra data")


def _decode(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        # It is JSON as far as its form goes, so the entries behind it can be read.
        return error, _LENIENT.raw_decode(text, at)[1]


@dataclass
class _Window:
    """The part of a file's text that is being read."""

    file: BinaryIO
    text: str = ""
    at: int = 0
    line: int = 1
    """Of the first character of `text`, in the file."""
    column: int = 1
    read: int = 0
    """Bytes."""
    ended: bool = False
    decoder: codecs.IncrementalDecoder = field(default_factory=codecs.getincrementaldecoder("utf-8-sig"))

    def peek(self) -> str:
        """Go to the next character that is not blank, and return it; empty at the end of the file."""
        while True:
            found = _BLANKS.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if self.ended:
                return ""
            self.more(_CHUNK)

    def value(self, longest: int) -> object:
        """Read the value that comes next."""
        self.peek()
        while True:
            try:
                value, end = _decode(self.text, self.at)
            except json.JSONDecodeError as error:
                # Text may be missing: of a string from where it begins, of anything else near the end.
                open_string = error.msg.startswith("Unterminated string")
                if self.ended or not (open_string or len(self.text) - error.pos < _CUT):
                    self.at = error.pos
                    raise self.error(error.msg) from error
                size = len(self.text) - self.at
            else:
                size = end - self.at
                # A number may go on behind what has been read, such as 1 of 1.5 or of 1e+9.
                if size <= longest and (len(self.text) - end > len("e+") or self.ended):
                    self.at = end
                    return value
            if size > longest:
                raise ValueError(f"line {self.error('').lineno}: an entry is longer than {longest:,} characters")
            self.more(max(_CHUNK, len(self.text) - self.at))

    def more(self, size: int) -> None:
        """Let go of what has been read, and read on."""
        gone, self.text, self.at = self.text[: self.at], self.text[self.at :], 0
        self.line += gone.count("\n")
        self.column = len(gone) - gone.rfind("\n") if "\n" in gone else self.column + len(gone)
        data = self.file.read(size)
        self.ended = not data
        try:
            self.text += self.decoder.decode(data, final=self.ended)
        except UnicodeDecodeError as error:
            pending = len(error.object) - len(data)
            raise ValueError(f"not UTF-8 at byte {self.read - pending + error.start + 1}") from error
        self.read += len(data)

    def error(self, message: str) -> json.JSONDecodeError:
        """Describe what is wrong at the place that has been reached, by its place in the file."""
        error = json.JSONDecodeError(message, self.text, self.at)
        if error.lineno == 1:
            error.colno += self.column - 1
        error.lineno += self.line - 1
        return error
