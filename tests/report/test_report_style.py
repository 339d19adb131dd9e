"""The style sheet: contrast in both schemes, nothing fetched."""

import re
from importlib import resources

import pytest

CSS = (resources.files("undertow.report") / "templates" / "style.css").read_text(encoding="utf-8")
ARMS = tuple(f"s{i}" for i in range(8))
GROUNDS = ("paper", "card", "sunk")


def _colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))


def _schemes() -> dict[str, dict[str, str]]:
    light, dark = (_colours(block) for block in re.findall(r":root \{([^}]+--paper[^}]+)\}", CSS))
    return {"light": light, "dark": dark}


def _luminance(colour: str) -> float:
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, two: str) -> float:
    hi, lo = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (hi + 0.05) / (lo + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *[(text, ground) for text in ("ink", "quiet") for ground in GROUNDS],
        *[("accent", ground) for ground in ("paper", "card")],
        *[(status, f"{status}-tint") for status in ("fail", "pass", "inconclusive")],
        *[(text, f"{status}-tint") for text in ("ink", "quiet") for status in ("fail", "pass", "inconclusive")],
        *[(arm, "card") for arm in ARMS],
        ("mark-ink", "mark"),
    ],
)
def test_text_can_be_read(scheme: str, text: str, ground: str) -> None:
    colours = _schemes()[scheme]
    assert _contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("line", ["strong", *ARMS])
def test_lines_and_markers_can_be_seen(scheme: str, line: str) -> None:
    colours = _schemes()[scheme]
    assert min(_contrast(colours[line], colours[ground]) for ground in GROUNDS) >= 3


def test_both_schemes_name_the_same_colours() -> None:
    schemes = _schemes()
    assert schemes["light"].keys() == schemes["dark"].keys()
    assert set(re.findall(r"var\(--([\w-]+)\)", CSS)) <= schemes["light"].keys() | {"arm", "tone", "tint"}


def test_nothing_is_fetched_and_the_style_cannot_end_early() -> None:
    assert "url(" not in CSS
    assert "@import" not in CSS
    assert "</" not in CSS
