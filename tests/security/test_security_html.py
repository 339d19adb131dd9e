"""A stranger's text in every field of a results.json: no page of the report or the viewer takes it for markup."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import stored_results
from undertow.report import overview, render_html
from undertow.results import Results, parse_results
from undertow.view.library import Library
from undertow.view.site import answer

BAD = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)>{{7*7}}javascript:alert(4)"
FIXED = {"schema", "kind", "status", "adjusted_by", "lineage"}
"""Keys whose values are of a closed set."""
PLOTTED = {"unit"}


def planted(value: Any, key: str = "") -> Any:
    """Put the bad text into every string and every free key."""
    if isinstance(value, dict):
        free = key in ("settings", "environment", "answers", "rejected", "reasons", "top", "planted")
        return {
            (f"{BAD}{name}" if free else name): planted(each, "planted" if free else name)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [planted(each, key) for each in value]
    return f"{BAD}{value}" if isinstance(value, str) and key not in FIXED else value


class Tags(HTMLParser):
    """Gathers what a browser would take for elements."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def harmful(page: str) -> Iterator[str]:
    tags = Tags()
    tags.feed(page)
    for tag, attributes in tags.found:
        if tag in ("script", "img", "iframe", "object", "embed", "base"):
            yield tag
        for name, value in attributes.items():
            if name.startswith("on") or (name in ("href", "src", "action") and (value or "").startswith("javascript")):
                yield f"{tag} {name}"


def measured() -> list[Results]:
    root = Path(__file__).parents[2] / "experiments" / "measured"
    return [
        *(parse_results(file.read_bytes(), str(file)) for file in sorted(root.glob("*/results.json"))[:3]),
        stored_results.scan(),
        stored_results.run(),
    ]


@pytest.fixture(scope="module", params=range(5))
def results(request: pytest.FixtureRequest) -> Results:
    return Results.model_validate(planted(json.loads(measured()[request.param].to_json())))


def test_the_check_sees_what_it_is_to_see() -> None:
    assert list(harmful(f"<p>{BAD}</p>")) == ["script", "img", "img onerror", "svg onload"]


def test_the_report_is_text(results: Results) -> None:
    page = render_html(results, timing={BAD: 1.0})
    assert list(harmful(page)) == []
    assert "&lt;script&gt;alert(1)" in page
    assert "49" not in page.split("{{7*7}}")[0][-40:]


def test_the_viewers_pages_are_text(results: Results, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    names = [f"a{place}{BAD[:20].replace('/', '')}" for place in range(2)]
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "results.json").write_text(results.to_json())
    other = results.model_copy(update={"settings": {BAD: BAD + "x"}, "environment": {BAD: [BAD]}})
    (root / names[1] / "results.json").write_text(other.to_json())
    half = root / f"{BAD[:20].replace('/', '')}"
    (half / "steps").mkdir(parents=True)
    library = Library(root)
    pair = "&".join(f"run={quote(name)}" for name in names)
    for target in (
        "/",
        f"/?q={quote(BAD[:20])}",
        f"/compare?{pair}",
        f"/report?run={quote(names[0])}",
        f"/{quote(BAD)}",
    ):
        page = answer(library, target)
        assert list(harmful(page.body.decode())) == [], target
    assert b"&lt;script&gt;" in answer(library, f"/compare?{pair}").body
    assert answer(library, f"/report?run={quote(BAD)}").status == 404


def test_tables_and_pictures_are_text(results: Results) -> None:
    lines = overview.overview([results])
    assert list(harmful(overview.picture(lines))) == []
    assert list(harmful(overview.markdown(lines))) == []


def test_whole_numbers_of_thousands_of_digits_are_shown_or_refused(tmp_path: Path) -> None:
    huge = stored_results.run().model_copy(update={"settings": {"a": 10**5000, "b": [[10**5000]]}})
    assert "because of this" in render_html(huge)


@pytest.mark.parametrize("stated", ["x", 10**400, -1, None, [1], {"a": 1}])
def test_judgements_that_are_none_do_not_stop_the_table(stated: object) -> None:
    odd = stored_results.run(settings={"judgement": {"smallest_effect": stated, "level": stated}})
    assert len(overview.overview([odd])) == 1
