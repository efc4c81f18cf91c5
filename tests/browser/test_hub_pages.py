"""The local Hub's pages in a real browser; screenshots of them are kept in tests/artifacts/."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi
from playwright.sync_api import Browser, Page, expect

from hub import server
from publishing.client_settings import loopback_client
from publishing.publisher import publish
from tests.browser.opening import NEEDS_CHROMIUM, Scheme, assert_readable, new_page, screenshot
from tests.publishing.publications import REPO_ID, REVISION, TOKEN, hub_at, noon, publication_of
from tests.publishing.tiny_model import write_model

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def hub_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Hub with a published model, its Space, and further revisions."""
    folder = tmp_path_factory.mktemp("hub-pages")
    with loopback_client(), server.running(folder / "hub", port=0) as endpoint:
        publish(hub_at(endpoint), publication_of(write_model(folder / "model")), clock=noon)
        for day in range(1, 13):
            HfApi(endpoint=endpoint, token=TOKEN).create_branch(REPO_ID, branch=f"v202611{day:02}-093000")
        yield endpoint


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, size: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme: Scheme = "light" if request.param == "light" else "dark"
    page = new_page(browser, size, scheme)
    messages: list[str] = []
    page.on("console", lambda message: messages.append(message.text))
    yield page
    screenshot(page, f"hub-{request.node.name.split('[')[0].removeprefix('test_')}-{size}-{scheme}")
    page.close()
    assert [text for text in messages if "status of 404" not in text] == []


def test_the_list_of_repositories(page: Page, hub_url: str) -> None:
    page.goto(hub_url)

    expect(page.get_by_role("link", name=REPO_ID, exact=True)).to_be_visible()
    assert_readable(page)


def test_a_revision_shows_its_card_and_its_files(page: Page, hub_url: str) -> None:
    page.goto(f"{hub_url}/{REPO_ID}/tree/{REVISION}")

    expect(page.get_by_text("license: apache-2.0")).to_be_hidden()
    assert_readable(page)
    page.get_by_text("Front matter").click()
    expect(page.get_by_text("license: apache-2.0")).to_be_visible()
    page.get_by_text("Front matter").click()
    row = page.locator("tr", has=page.get_by_role("link", name="ctranslate2/config.json", exact=True))
    with page.expect_download() as download:
        row.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "config.json"


def test_a_file_is_shown_as_text(page: Page, hub_url: str) -> None:
    page.goto(f"{hub_url}/{REPO_ID}")
    page.get_by_role("link", name="training.json", exact=True).click()

    text = page.locator("pre").inner_text()
    assert json.loads(text)["parameters"] == 123456
    assert_readable(page)


def test_what_is_not_there_is_said(page: Page, hub_url: str) -> None:
    page.goto(f"{hub_url}/local/nothing")

    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    assert_readable(page)
