"""The viewer in a real browser: two clicks to a comparison, no complaint, no script, fits a phone, can be dark."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import brightness, show, start
from undertow.view import viewer
from undertow.view.server import Viewer

pytestmark = pytest.mark.browser
COMPARE = "compare?run=owls-11111111&run=later/again-22222222"
PAGES = ("", COMPARE, "?q=nothing+like+it")
FIND = "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent.trim())"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    started = start(tmp_path_factory.mktemp("profile"))
    yield started
    started.quit()


@pytest.fixture
def server(runs: Path) -> Iterator[Viewer]:
    with viewer(runs, port=0) as started:
        threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield started
        started.shutdown()


def _until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait: a click on a form's button returns before the next page is there."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("page", PAGES)
def test_pages_load_without_a_complaint_and_with_their_style(driver: Any, server: Viewer, page: str) -> None:
    driver.get_log("browser")
    show(driver, server.url + page)
    assert driver.get_log("browser") == []
    assert driver.execute_script("return document.scripts.length") == 0
    assert driver.execute_script("return document.styleSheets[0].cssRules.length") > 50


def test_two_ticks_and_a_click_compare_two_runs(driver: Any, server: Viewer) -> None:
    show(driver, server.url)
    for name in ("owls-11111111", "later/again-22222222"):
        driver.find_element("css selector", f"input[value='{name}']").click()
    driver.find_element("css selector", ".act button").click()
    _until(lambda: "/compare?" in driver.current_url)
    assert sorted(driver.execute_script(FIND, ".card h2")) == ["Do owls pass?", "Once more"]
    assert driver.execute_script("return document.querySelectorAll('.pairs .bar').length") == 3


def test_searching_and_ordering_need_no_script(driver: Any, server: Viewer) -> None:
    show(driver, server.url)
    box = driver.find_element("css selector", "input[type=search]")
    box.send_keys("do owls")
    box.submit()
    _until(lambda: "q=" in driver.current_url)
    assert driver.execute_script(FIND, ".run .title") == ["Do owls pass?"]
    driver.find_element("link text", "Title").click()
    assert "sort=title" in driver.current_url
    assert "q=do+owls" in driver.current_url


def test_a_report_opens_from_the_list(driver: Any, server: Viewer) -> None:
    driver.get_log("browser")
    show(driver, server.url)
    driver.find_element("link text", "Do owls pass?").click()
    assert driver.title == "FAIL: Do owls pass?"
    assert brightness(driver) > 240, "its own style applies"
    assert driver.get_log("browser") == []


def test_a_strangers_report_can_run_nothing_and_ask_for_nothing(driver: Any, server: Viewer, runs: Path) -> None:
    bad = (
        "<title>calm</title><meta http-equiv=refresh content='0;url=/'><script>document.title = 'owned'</script>"
        "<img src=/style.css onerror=\"document.title = 'owned'\"><iframe src=/></iframe>"
        "<form action=/ method=get><button autofocus>x</button></form><script src=/style.css></script>"
    )
    (runs / "owls-11111111" / "report.html").write_text(bad)
    show(driver, server.url + "report?run=owls-11111111")
    assert driver.title == "calm"
    driver.find_element("css selector", "button").click()
    assert driver.current_url.endswith("report?run=owls-11111111")


@pytest.mark.parametrize("width", [360, 850, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_nothing_sticks_out(driver: Any, server: Viewer, page: str, width: int) -> None:
    show(driver, server.url + page, width=width)
    wide = driver.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    overlap = driver.execute_script(
        "return [...document.querySelectorAll('.run, .side, .unready li')].some(row => {"
        " const boxes = [...row.children].map(e => e.getBoundingClientRect()).filter(b => b.width && b.height);"
        " return boxes.some((a, i) => boxes.some((b, j) => i < j && a.left < b.right - 1 && b.left < a.right - 1"
        " && a.top < b.bottom - 1 && b.top < a.bottom - 1)) })"
    )
    assert not overlap


@pytest.mark.parametrize("page", PAGES)
def test_dark_is_dark_and_light_is_light(driver: Any, server: Viewer, page: str) -> None:
    show(driver, server.url + page, dark=False)
    assert brightness(driver) > 240
    show(driver, server.url + page, dark=True)
    assert brightness(driver) < 40


def test_everything_can_be_reached_by_the_keyboard_and_has_a_name(driver: Any, server: Viewer) -> None:
    show(driver, server.url)
    nameless = driver.execute_script(
        "return [...document.querySelectorAll('a, button, input:not([type=hidden])')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel)).length"
    )
    assert nameless == 0
    assert driver.execute_script("return document.querySelectorAll('[tabindex=\"-1\"]').length") == 0
