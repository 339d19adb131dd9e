r"""Numbers, units and strangers' text as people read them.

Numbers get the digits that their interval supports, a true minus sign and, for differences, a plus sign.
Text from data and models keeps its letters, while characters that act without being seen (controls, overrides
of the writing direction, zero-width marks) are shown by a name. It knows neither results nor HTML.

    signed(0.4712, 2)        '+0.47'
    visible("a\u202eb")      'a\u202eb', as it is read here
"""

from __future__ import annotations

import json
import math
import re
import unicodedata

_MINUS = "−"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_KEPT = "\n\t"
_ACTING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that are not drawn but change how others are, or split lines."""
_UNSEEN = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(map(chr, range(0xE0100, 0xE01F0)))
"""Characters of other categories that are not drawn either: fillers, and selectors that can hide a text."""
_LEVEL = re.compile(r"(\d+(?:\.\d+)?)%\s*(?:;|$)")
_HUGE, _TINY = 1e6, 1e-4


def visible(text: str) -> str:
    r"""Show characters that act without being seen: a NUL as `\u0000`.

    A reader must see what a model wrote, and text must not be able to reorder the page around it.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char in _KEPT:
        return char
    code = ord(char)
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if noncharacter or char in _UNSEEN or unicodedata.category(char) in _ACTING:
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
    return char


def visible_json(text: str) -> str:
    r"""Escape the same characters in the text of JSON, which then says what it said: a NEL as `\u0085`."""
    if text.isascii() and "\x7f" not in text:  # the one that json itself leaves as it is
        return text
    return "".join(char if _shown(char) == char else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if char.isascii() else json.dumps(char)[1:-1]


def clip(text: str, size: int) -> str:
    """Cut a text to `size` characters and say by `…` that it goes on."""
    return text if len(text) <= size else text[: max(size - 1, 0)].rstrip() + "…"


def decimals_for(lo: float, hi: float) -> int:
    """Return how many decimals an interval supports.

    Two digits of its half-width if that starts with 1 or 2, else one; two decimals at least.
    """
    half = abs(hi - lo) / 2
    if not (math.isfinite(half) and half > 0):
        return 2
    # Below 1e-300 a power of ten may be rounded to zero.
    exponent = max(math.floor(math.log10(half)), -300)
    fine = 1 if half / 10.0**exponent < 3 else 0
    return min(max(fine - exponent, 2), 9)


def plain(value: float, decimals: int = 2) -> str:
    """Write a number with a true minus sign; very large and very small ones as powers of ten."""
    size = abs(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else (f"{_MINUS}∞" if value < 0 else "∞")
    if size >= _HUGE or (0 < size < _TINY and decimals > 6):
        mantissa, exponent = f"{size:.1e}".split("e")
        text = f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"
        return _MINUS + text if value < 0 else text
    text = f"{size:,.{decimals}f}"
    return _MINUS + text if value < 0 and float(text.replace(",", "")) else text


def signed(value: float, decimals: int = 2) -> str:
    """Write a difference: like `plain`, with a plus sign above zero."""
    text = plain(value, decimals)
    rounds_to_zero = not any(digit in text for digit in "123456789∞")
    return text if value <= 0 or rounds_to_zero else f"+{text}"


def interval(lo: float, hi: float, decimals: int, *, sign: bool = True) -> str:
    """Write both ends of an interval: `+0.31 to +0.62`."""
    write = signed if sign else plain
    return f"{write(lo, decimals)} to {write(hi, decimals)}"


def percent(share: float) -> str:
    """Write a share as a percentage that never rounds a part to nothing or to all."""
    value = 100 * share
    size = abs(value)
    if size in (0, 100):
        return f"{plain(value, 0)}%"
    if size < 0.01:
        return f"under {'−' if value < 0 else ''}0.01%"
    decimals = 2 if size < 1 else 1 if size < 10 or 99 < size < 100 else 0
    if 99.95 <= size < 100:
        return "over 99.9%"
    return f"{plain(value, decimals)}%"


def p_value(p: float | None) -> str:
    """Write a p-value as `p = 0.012`; an em dash where there is none."""
    if p is None:
        return "—"
    if p < 1e-4:
        return "p < 0.0001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.2g}"


def duration(seconds: float) -> str:
    """Write a time span in its two largest units."""
    if not math.isfinite(seconds) or seconds < 0:
        return "—"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def plural(count: int, noun: str) -> str:
    """Write a count with its noun: `1 seed`, `3 seeds`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(words: list[str]) -> str:
    """Join words as in a sentence: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def level_name(method: str) -> str:
    """Name the interval by the level that an estimate's method ends with: `95% interval`."""
    found = _LEVEL.search(method)
    return f"{found[1]}% interval" if found else "interval"
