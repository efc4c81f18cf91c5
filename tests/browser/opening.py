"""A headless Chromium for the tests of pages, and where their screenshots go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.contrast import CONTRASTS, SMALLEST_CONTRAST

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARTIFACTS: Final = Path(__file__).parents[1] / "artifacts"
SIZES: Final = {"desktop": (1280, 900), "phone": (390, 844)}
Scheme = Literal["light", "dark"]
NEEDS_CHROMIUM: Final = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: none of chromium, google-chrome is on PATH"),
]
_QUIET: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        yield started
        started.close()


def new_page(browser: Browser, size: str, scheme: Scheme) -> Page:
    """A blank page of that size on a machine that prefers that scheme."""
    width, height = SIZES[size]
    return browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)


def screenshot(page: Page, name: str) -> None:
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=True)


def assert_readable(page: Page) -> None:
    """Nothing is wider than the window, and all text stands out from what is behind it."""
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert [found for found in page.evaluate(CONTRASTS) if found[0] < SMALLEST_CONTRAST] == []
