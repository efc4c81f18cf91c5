"""A run's page in a real browser; screenshots of it are kept in tests/artifacts/."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from pipeline.report.build import build_comparison
from pipeline.report.facts import NodeFacts, RunFacts
from pipeline.report.page import write_page
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from tests.report.made_run import RUN, Settings, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARTIFACTS = Path(__file__).parents[1] / "artifacts"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LATER = "20261122-040506-000002"
SMALLEST_CONTRAST = 4.5  # WCAG 2.2, level AA, for text

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: none of chromium, google-chrome is on PATH"),
]
Scheme = Literal["light", "dark"]

# Of every element with text of its own, the contrast with the nearest opaque background, by WCAG's formula.
CONTRASTS = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = rgb(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const own = element => [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  return [...document.body.querySelectorAll(':not(svg *)')].filter(e => own(e) && e.checkVisibility()).map(element => {
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))];
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), element.textContent.trim().slice(0, 40)];
  });
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of a published run, of one that was refused, of a failed one, and of a comparison."""
    output = tmp_path_factory.mktemp("reports")
    make_run(output, Settings(before=1.75))
    make_run(output, Settings(run_id=LATER, blessed=False, loss=3.5, before=1.5))
    published = read_facts(find_run(stores(str(output)), RUN))
    refused = read_facts(find_run(stores(str(output)), LATER))
    _, compared = build_comparison(str(output), RUN, LATER)
    return {
        "published": write_page(published, output / "published"),
        "refused": write_page(refused, output / "refused"),
        "failed": write_page(failed(published), output / "failed"),
        "compared": compared,
    }


def failed(facts: RunFacts) -> RunFacts:
    nodes = [NodeFacts("ImportExampleGen", "cached", 0, 0.02), NodeFacts("DataGate", "failed", 100, 0.3)]
    late = [replace(node, state="not reached", seconds=None) for node in facts.nodes[4:]]
    return RunFacts(
        facts.pipeline_name,
        RUN,
        (*nodes, *late),
        facts.edges,
        failure="The data are not fit for training: 1 problem.\n  1. split 'train': blank rows",
        data=facts.data,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return "light" if request.param == "light" else "dark"


@pytest.fixture(params=sorted(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["published", "refused", "failed", "compared"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser, pages: dict[str, Path], name: str, size: str, scheme: Scheme) -> Iterator[Page]:
    """The loaded page; a request for anything but itself, or a message in the console, fails the test."""
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    requests: list[str] = []
    messages: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(pages[name].as_uri())
    yield page
    page.close()
    assert [url for url in requests if not url.startswith("data:")] == [pages[name].as_uri()]
    assert messages == []


def test_the_page_fits_and_can_be_read(page: Page, name: str, size: str, scheme: Scheme) -> None:
    expect(page.locator("h1")).to_be_visible()
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    faint = [found for found in page.evaluate(CONTRASTS) if found[0] < SMALLEST_CONTRAST]
    assert faint == []
    for details in page.locator("details").all():
        details.evaluate("element => element.open = false")
    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"report-{name}-{size}-{scheme}.png", full_page=True)


@pytest.mark.parametrize("name", ["published"], indirect=True)
def test_each_width_has_its_own_drawing_of_the_graph(page: Page, size: str) -> None:
    shown = page.locator("#pipeline svg:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_class("wide" if size == "desktop" else "narrow")
    texts = shown.locator("text").all()
    sizes = [text.evaluate("element => element.getBoundingClientRect().height") for text in texts]
    assert min(sizes) > 11  # pixels: readable without zooming


@pytest.mark.parametrize("name", ["published"], indirect=True)
def test_everything_can_be_reached_by_keyboard(page: Page) -> None:
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))

    assert {"A", "SUMMARY"} <= reached
