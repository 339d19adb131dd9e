"""Headless Chromium for the tests of pages; they are skipped where it is not installed (`make browser`)."""

from pathlib import Path
from typing import Any

import pytest

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def start(profile: Path) -> Any:
    """Start a browser with a profile of its own, or skip the test."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    for needed in (CHROMIUM, DRIVER):
        if not needed.exists():
            pytest.skip(f"{needed} is absent: apt-get install chromium chromium-driver")
    from selenium.webdriver.chrome.service import Service

    options = selenium.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver is named, so that selenium's manager does not look for one on the network.
    return selenium.Chrome(options=options, service=Service(str(DRIVER)))


def show(driver: Any, address: str, *, width: int = 1280, dark: bool = False, media: str = "") -> None:
    """Open an address in a window of a width, in a colour scheme."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(address)


def brightness(driver: Any) -> float:
    """Return how bright the page's ground is, from 0 to 255."""
    colour = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    parts = [float(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    return sum(parts) / 3
