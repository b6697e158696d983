"""A headless browser for pages, where one is installed."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
MISSING = [name for name, found in (("chromium", CHROMIUM), ("chromedriver", DRIVER)) if not found]
NEEDED = pytest.mark.skipif(
    bool(MISSING), reason=f"no page is driven in a browser: {' and '.join(MISSING)} not installed"
)


@contextlib.contextmanager
def driven(profile: Path) -> Iterator[Any]:
    """A browser that writes down what it is asked for, and its own errors; closed at the end."""
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="no page is driven in a browser: selenium not installed"
    )
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless=new", "no-sandbox", "disable-gpu", "force-prefers-reduced-motion", "disable-dev-shm-usage",
        "window-size=1280,900", f"user-data-dir={profile}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()
