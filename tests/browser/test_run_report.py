"""A run's page in a real browser; screenshots of it are kept in tests/artifacts/."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.components.data_gate.texts import LENGTH_BOUNDS
from pipeline.report.build import build_comparison
from pipeline.report.facts import Curve, NodeFacts, RunFacts
from pipeline.report.page import write_page
from pipeline.report.reading.run import read_facts
from pipeline.report.run_record import RunRecord
from pipeline.report.store import find_run, stores
from tests.browser.opening import NEEDS_CHROMIUM, Scheme, assert_readable, new_page, screenshot
from tests.report.made_run import RUN, Settings, make_run

LATER = "20261122-040506-000002"

pytestmark = NEEDS_CHROMIUM
# Figures of the tiles that take two lines, or more room than they have.
BROKEN_FIGURES = """() => [...document.querySelectorAll('.tiles:not(.two) .value')].filter(element => {
  const line = parseFloat(getComputedStyle(element).lineHeight);
  return element.getBoundingClientRect().height > 1.5 * line || element.scrollWidth > element.clientWidth;
}).map(element => element.textContent)"""
# Texts of the pictures that reach over their edge.
CUT_LABELS = """() => [...document.querySelectorAll('svg')].filter(svg => svg.checkVisibility()).flatMap(svg =>
  [...svg.querySelectorAll('text')].filter(text => {
    const box = text.getBBox();
    return box.x < -1.5 || box.x + box.width > svg.viewBox.baseVal.width + 1.5;
  }).map(text => text.textContent))"""


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
        "long": write_page(long(published), output / "long"),
        "refused": write_page(refused, output / "refused"),
        "failed": write_page(failed(published), output / "failed"),
        "compared": compared,
    }


def long(facts: RunFacts) -> RunFacts:
    """A run of a large model on many rows: as much as the page may have to hold."""
    assert facts.training is not None
    assert facts.data is not None
    loss = Curve("training loss", tuple((step, 4 * math.exp(-step / 20_000)) for step in range(100, 99_001, 100)))
    held_out = Curve("evaluation loss", tuple((step, 0.4 + value) for step, value in loss.points[99::100]))
    assert facts.training.record is not None
    changes = {"parameters": 1_557_611_200, "seconds": 773.4, "steps": 99_000}
    record = facts.training.record.model_copy(update=changes)
    lengths = tuple((bound, 40 * index % 97) for index, bound in enumerate((*LENGTH_BOUNDS, 10_000)))
    splits = [
        replace(split, features=tuple(replace(feature, lengths=lengths) for feature in split.features))
        for split in facts.data.splits
    ]
    return replace(
        facts,
        training=replace(facts.training, loss=(loss, held_out), record=record),
        data=replace(facts.data, splits=tuple(splits)),
    )


def failed(facts: RunFacts) -> RunFacts:
    nodes = [NodeFacts("ImportExampleGen", "cached", 0, 0.02), NodeFacts("DataGate", "failed", 100, 0.3)]
    late = [replace(node, state="not reached", seconds=None) for node in facts.nodes[4:]]
    return RunFacts(
        facts.pipeline_name,
        RUN,
        (*nodes, *late),
        facts.edges,
        recorded=RunRecord(failure="The data are not fit for training: 1 problem.\n  1. split 'train': blank rows"),
        data=facts.data,
    )


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Scheme:
    return "light" if request.param == "light" else "dark"


@pytest.fixture(params=["published", "long", "refused", "failed", "compared"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(browser: Browser, pages: dict[str, Path], name: str, size: str, scheme: Scheme) -> Iterator[Page]:
    """The loaded page; a request for anything but itself, or a message in the console, fails the test."""
    page = new_page(browser, size, scheme)
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
    assert page.evaluate(BROKEN_FIGURES) == []
    assert page.evaluate(CUT_LABELS) == []
    assert_readable(page)
    for details in page.locator("details").all():
        details.evaluate("element => element.open = false")
    screenshot(page, f"report-{name}-{size}-{scheme}")


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
