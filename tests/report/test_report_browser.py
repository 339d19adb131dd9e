"""The page in a real browser: opens from disk, asks for nothing, fits a phone, has a dark scheme, prints."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import brightness, show, start
from undertow.report import render_html
from undertow.results import Results

PAGES = ("rich", "digits", "minimal", "hostile")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    started = start(tmp_path_factory.mktemp("profile"))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, rich: Results, digits: Results, hostile: Results) -> Path:
    made = tmp_path_factory.mktemp("reports")
    minimal = Results(kind="scan", name="rows", verdict=digits.verdict)
    for name, results in zip(PAGES, (rich, digits, minimal, hostile), strict=True):
        (made / f"{name}.html").write_text(render_html(results, timing={"teacher": 3.0}), encoding="utf-8")
    return made


def _show(driver: Any, file: Path, *, width: int = 1280, dark: bool = False, media: str = "") -> None:
    show(driver, file.as_uri(), width=width, dark=dark, media=media)


@pytest.mark.parametrize("name", PAGES)
def test_it_opens_without_a_complaint_or_a_request(driver: Any, folder: Path, name: str) -> None:
    file = folder / f"{name}.html"
    for log in ("browser", "performance"):
        driver.get_log(log)
    _show(driver, file)
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = {
        event["params"]["request"]["url"]
        for event in events
        # The browser's own start page may still be loading.
        if event["method"] == "Network.requestWillBeSent" and event["params"]["documentURL"] == file.as_uri()
    }
    assert {url for url in asked if not url.startswith("data:")} == {file.as_uri()}


def test_a_script_in_a_sample_stays_text(driver: Any, folder: Path) -> None:
    _show(driver, folder / "hostile.html")
    assert driver.execute_script("return document.scripts.length") == 0
    shown = driver.execute_script("return document.querySelector('.sample').textContent")
    assert "<script>alert(1)</script>" in shown
    assert "\\u202eabc\\u0000\\u001b[31m" in shown


def test_the_policy_would_stop_what_escaping_let_through(driver: Any, folder: Path) -> None:
    file = folder / "broken.html"
    bad = "<script>document.title = 'owned'</script><img src='http://127.0.0.1:9/x.png'></body>"
    text = (folder / "rich.html").read_text(encoding="utf-8")
    file.write_text(text.replace("</body>", bad), encoding="utf-8")
    driver.get_log("browser")
    _show(driver, file)
    assert driver.title.startswith("FAIL")
    complaints = [entry["message"] for entry in driver.get_log("browser")]
    assert sum("Content Security Policy" in complaint for complaint in complaints) == 2


@pytest.mark.parametrize("opened", [False, True], ids=["closed", "opened"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_nothing_sticks_out(driver: Any, folder: Path, name: str, width: int, opened: bool) -> None:
    _show(driver, folder / f"{name}.html", width=width)
    if opened:
        driver.execute_script("document.querySelectorAll('details').forEach(e => e.open = true)")
    wide, inner = driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert wide <= width
    assert inner == width


def test_text_in_plots_keeps_its_size_on_a_phone(driver: Any, folder: Path) -> None:
    sizes: list[float] = []
    for width in (360, 1280):
        _show(driver, folder / "rich.html", width=width)
        sizes.append(
            driver.execute_script(
                "return Math.min(...[...document.querySelectorAll('svg text')]"
                ".map(e => e.getBoundingClientRect().height))"
            )
        )
    assert sizes[0] == sizes[1] >= 10


def test_columns_of_samples_stack_on_a_phone(driver: Any, folder: Path) -> None:
    tops = "return [...document.querySelector('.columns').children].map(e => e.getBoundingClientRect().top)"
    _show(driver, folder / "rich.html", width=360)
    assert len(set(driver.execute_script(tops))) == 3
    _show(driver, folder / "rich.html", width=1280)
    assert len(set(driver.execute_script(tops))) == 1


def test_dark_is_dark_and_light_is_light(driver: Any, folder: Path) -> None:
    _show(driver, folder / "rich.html", dark=False)
    light = brightness(driver)
    _show(driver, folder / "rich.html", dark=True)
    assert light > 240
    assert brightness(driver) < 40


def test_it_prints_with_its_details_and_without_the_dark(driver: Any, folder: Path) -> None:
    _show(driver, folder / "rich.html", dark=True)
    printed = driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    pdf = base64.b64decode(printed["data"])
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 3
    _show(driver, folder / "rich.html", dark=True, media="print")
    hidden = "return [...document.querySelectorAll('details *')].filter(e => !e.checkVisibility()).length"
    assert driver.execute_script(hidden) == 0
    assert driver.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert driver.execute_script("return getComputedStyle(document.querySelector('nav')).display") == "none"


def test_sections_can_be_reached_by_their_links(driver: Any, folder: Path) -> None:
    _show(driver, folder / "rich.html")
    broken = driver.execute_script(
        "return [...document.querySelectorAll('nav a')]"
        ".filter(a => !document.querySelector(a.getAttribute('href'))).map(a => a.textContent)"
    )
    assert broken == []
