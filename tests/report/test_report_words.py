"""Numbers as people read them, and strangers' text made harmless."""

import math
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from undertow.report import units, words


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.4712345, 2, "+0.47"),
        (-0.4712345, 2, "−0.47"),
        (0.0, 2, "0.00"),
        (-0.001, 2, "0.00"),
        (0.001, 2, "0.00"),
        (12345.6, 1, "+12,345.6"),
        (2e9, 2, "+2.0 × 10⁹"),
        (-3.1e-7, 8, "−3.1 × 10⁻⁷"),
    ],
)
def test_differences_have_a_true_sign_and_no_sign_at_zero(value: float, decimals: int, text: str) -> None:
    assert words.signed(value, decimals) == text


def test_a_share_needs_no_plus() -> None:
    assert words.plain(0.5) == "0.50"
    assert words.interval(0.31, 0.62, 2) == "+0.31 to +0.62"
    assert words.interval(-0.02, 0.62, 2, sign=False) == "−0.02 to 0.62"


@pytest.mark.parametrize(
    ("half", "decimals"), [(0.155, 2), (0.35, 2), (0.012, 3), (0.004, 3), (0.00021, 5), (3.2, 2), (0.0, 2)]
)
def test_digits_follow_the_interval(half: float, decimals: int) -> None:
    assert words.decimals_for(0.5 - half, 0.5 + half) == decimals


@pytest.mark.parametrize("half", [5e-324, 1e-310, 1e-300, 1e-200])
def test_the_smallest_intervals_have_the_most_digits(half: float) -> None:
    assert words.decimals_for(-half, half) == 9


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (1.0, "100%"),
        (0.0135, "1.4%"),
        (0.31, "31%"),
        (0.9999, "over 99.9%"),
        (0.9960, "99.6%"),
        (0.0042, "0.42%"),
        (1e-9, "under 0.01%"),
        (-0.2, "−20%"),
        (1.63, "163%"),
    ],
)
def test_percentages_never_round_to_nothing_or_all(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(None, "—"), (1e-9, "p < 0.0001"), (0.0121, "p = 0.012"), (0.5, "p = 0.50"), (0.00034, "p = 0.00034")],
)
def test_p_values(p: float | None, text: str) -> None:
    assert words.p_value(p) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.21, "3.2 s"),
        (59.7, "1 min 0 s"),
        (812.4, "13 min 32 s"),
        (4021.0, "1 h 7 min"),
        (-1.0, "—"),
        (math.nan, "—"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


def test_the_level_is_read_off_the_method() -> None:
    assert words.level_name("t interval over 8 seeds, 95%; p: sign flips") == "95% interval"
    assert words.level_name("cluster bootstrap, 2000 resamples, 99.5%") == "99.5% interval"
    assert words.level_name("by eye") == "interval"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ordinary.", "plain, ordinary."),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("naïve 猫 🦉 שלום", "naïve 猫 🦉 שלום"),
        ("a\x00b", "a\\u0000b"),
        ("a\r\n", "a\\u000d\n"),
        ("\x1b[31m", "\\u001b[31m"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("lone \ud800", "lone \\ud800"),
        ("\u2028\uffff", "\\u2028\\uffff"),
    ],
)
def test_what_acts_without_being_seen_is_written_out(text: str, shown: str) -> None:
    assert words.visible(text) == shown


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_visible_text_is_settled_and_can_be_stored(text: str) -> None:
    shown = words.visible(text)
    assert words.visible(shown) == shown
    shown.encode()
    assert not {unicodedata.category(char) for char in shown if char not in "\n\t"} & {"Cc", "Cf", "Cs"}


def test_clipping_says_so() -> None:
    assert words.clip("owls", 4) == "owls"
    assert words.clip("owls and whales", 5) == "owls…"


def test_log_odds_are_pictured_as_odds() -> None:
    said = units.pictured(0.54, 0.31, 0.77, "log-odds", "control")
    assert "1.72 times those of control (1.36 to 2.16 times)" in said
    assert units.pictured(900.0, 0.0, 1000.0, "log-odds", "control") == ""
    assert units.pictured(0.429, 0.37, 0.49, "accuracy", "cross").startswith("43 more right answers")
    assert units.pictured(0.1, 0.0, 0.2, "furlongs", "control") == ""
    assert units.explained("furlongs") == ""


@given(st.text())
@example("\x7f")
def test_json_says_the_same_when_what_acts_is_escaped(text: str) -> None:
    import json

    record = json.dumps([text], ensure_ascii=False)
    shown = words.visible_json(record)
    assert json.loads(shown) == [text]
    assert all(char == "\n" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)


@pytest.mark.parametrize("char", ["\u115f", "\u3164", "\u2800", "\U000e0101", "\u034f", "\u200b", "\u202e", "\x9b"])
def test_what_cannot_be_seen_has_a_name(char: str) -> None:
    assert char not in words.visible(f"a{char}b")


def test_emoji_keep_their_form() -> None:
    assert words.visible("❤️") == "❤️"
