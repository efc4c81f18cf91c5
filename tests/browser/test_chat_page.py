"""The published demo in a real browser; screenshots of it are kept in tests/artifacts/."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from hub import demo, server
from publishing.client_settings import loopback_client
from publishing.publication import Published, SpaceTarget
from publishing.publisher import publish
from tests.browser.chat import answers, ask
from tests.browser.contrast import CONTRAST_WITH_SURROUNDINGS, LEAST_EDGE_CONTRAST
from tests.browser.opening import NEEDS_CHROMIUM, Scheme, assert_readable, new_page, screenshot
from tests.publishing.publications import SPACE_REPO_ID, TEMPLATE, hub_at, noon, publication_of
from tests.publishing.tiny_model import ANSWER, write_model

ALL_TOKENS = "99"

pytestmark = NEEDS_CHROMIUM


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Published]]:
    """The address of a running demo, and what it runs on."""
    folder = tmp_path_factory.mktemp("demo")
    with demo_of(template_without_limit(folder), folder) as running:
        yield running


def template_without_limit(folder: Path) -> Path:
    """Returns the template for visitors who ask as often as this file does: a fast machine meets the limit."""
    template = shutil.copytree(TEMPLATE, folder / "space", ignore=shutil.ignore_patterns("__pycache__"))
    app, limit = (template / "app.py").read_text(), "QUESTIONS_PER_MINUTE = 12"
    assert app.count(limit) == 1
    (template / "app.py").write_text(app.replace(limit, "QUESTIONS_PER_MINUTE = 10_000"))
    return template


@pytest.fixture(scope="module")
def allowed_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says how many tokens of an answer the slow model may write by now."""
    return tmp_path_factory.mktemp("allowed") / "tokens"


@pytest.fixture(scope="module")
def published_slow(tmp_path_factory: pytest.TempPathFactory, allowed_tokens: Path) -> Iterator[tuple[str, Published]]:
    """The same with a model that takes its time, as a large one does: as much as the test gives it."""
    folder = tmp_path_factory.mktemp("slow")
    template = template_without_limit(folder)
    assistant = (template / "assistant.py").read_text()
    step = "            for piece in answer.pieces():\n"
    assert assistant.count(step) == 1
    allowed = f"int(Path({str(allowed_tokens)!r}).read_text() or 0)"
    counted = "            for number, piece in enumerate(answer.pieces(), start=1):\n"
    wait = f"                while number > {allowed}:\n                    time.sleep(0.05)\n"
    slowed = assistant.replace(step, counted + wait).replace("import os\n", "import os\nimport time\n")
    (template / "assistant.py").write_text(slowed)
    with demo_of(template, folder) as running:
        yield running


@contextmanager
def demo_of(template: Path, folder: Path) -> Iterator[tuple[str, Published]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with loopback_client(), server.running(folder / "hub", port=0) as endpoint:
        publication = publication_of(write_model(folder / "model"))
        space = SpaceTarget(SPACE_REPO_ID, template)
        result = publish(hub_at(endpoint), replace(publication, space=space), clock=noon)
        options = demo.Options(
            storage_dir=folder / "hub",
            port=urlsplit(endpoint).port or 0,
            demo_port=port,
            space_repo_id=None,
            work_dir=folder / "demo",
        )
        with demo.serving(options) as (address, _):
            yield address, result


@pytest.fixture
def scheme() -> Scheme:
    """What the visitor's machine prefers; a test may parametrize it."""
    return "light"


@pytest.fixture
def page(browser: Browser, published: tuple[str, Published], size: str, scheme: Scheme) -> Iterator[Page]:
    with opened(browser, published[0], size, scheme) as page:
        yield page


@pytest.fixture
def slow_page(browser: Browser, published_slow: tuple[str, Published], size: str, scheme: Scheme) -> Iterator[Page]:
    with opened(browser, published_slow[0], size, scheme) as page:
        yield page


@contextmanager
def opened(browser: Browser, address: str, size: str, scheme: Scheme) -> Iterator[Page]:
    """The loaded page at that width; a request to any other host, or an error in the page, fails the test."""
    page = new_page(browser, size, scheme)
    foreign: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.get_by_placeholder("Write an instruction…").wait_for()
    yield page
    page.close()
    assert foreign == []
    assert errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_visitor_gets_an_answer_and_sees_what_gave_it(
    page: Page, published: tuple[str, Published], size: str, scheme: str
) -> None:
    screenshot(page, f"demo-{size}-{scheme}-before")
    ask(page, "What is the capital of France?")

    expect(answers(page).last).to_have_text(ANSWER)
    heading = page.locator("#heading")
    expect(heading).to_contain_text(f"revision {published[1].revision}")
    expect(heading).to_contain_text(f"commit {published[1].commit[:12]}")
    expect(heading).to_contain_text("Each message is answered on its own")
    link = heading.get_by_role("link", name=published[1].repo_id)
    expect(link).to_have_attribute("href", re.compile(rf"/{published[1].repo_id}$"))
    expect(heading).to_contain_text("A language model of 123,456 parameters, trained from scratch on 100 instructions")
    expect(page.locator("#foot")).to_have_text(re.compile(r"Answers are computed in float32 by CTranslate2 "))
    screenshot(page, f"demo-{size}-{scheme}-after")
    is_dark = page.evaluate("document.body.classList.contains('dark')")
    assert is_dark == (scheme == "dark")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_while_an_answer_is_written_it_grows_and_can_be_stopped(
    slow_page: Page, allowed_tokens: Path, size: str, scheme: str
) -> None:
    page = slow_page
    allowed_tokens.write_text("1")
    ask(page, "What is the capital of France?")
    expect(answers(page).last).to_have_text(re.compile("^Par"))
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    early = answers(page).last.inner_text().strip()
    screenshot(page, f"demo-{size}-{scheme}-during")
    allowed_tokens.write_text("2")
    expect(answers(page).last).to_have_text(re.compile(f"^{re.escape(early)}."))
    page.get_by_role("button", name="Stop").click()
    allowed_tokens.write_text("3")  # of four: Gradio ends an answer between two of them

    expect(page.get_by_role("button", name="Send")).to_be_visible()
    stopped = answers(page).last.inner_text().strip()
    assert ANSWER.startswith(stopped)
    assert stopped != ANSWER
    allowed_tokens.write_text(ALL_TOKENS)
    ask(page, "And now?")
    expect(answers(page).last).to_have_text(ANSWER, timeout=20_000)


@pytest.mark.parametrize(
    "text",
    [
        "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>",
        "**bold** # head `code` [link](javascript:document.title='hit') $x^2$",
        "first line\n\n    indented\n- item",
    ],
)
def test_what_a_visitor_writes_is_shown_as_it_is(page: Page, text: str) -> None:
    ask(page, text)

    expect(answers(page).last).to_have_text(ANSWER)
    asked = page.locator("[data-testid=user]").last
    assert asked.inner_text().strip() == text
    assert asked.locator("img, script, strong, code, a, li, h1, .katex").count() == 0
    assert page.title() == "GPT-2 Alpaca"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_have_edges_send_is_a_button_and_text_can_be_read(page: Page, scheme: str) -> None:
    page.get_by_role("button", name="Decoding options").click()
    send = page.get_by_role("button", name="Send")
    assert send.evaluate(CONTRAST_WITH_SURROUNDINGS, "backgroundColor") >= LEAST_EDGE_CONTRAST
    for box in (
        page.get_by_label("Input (optional)"),
        page.get_by_label("Seed"),
        page.locator("#instruction"),
    ):
        assert box.evaluate("element => getComputedStyle(element).borderTopWidth") == "1px"
        assert box.evaluate(CONTRAST_WITH_SURROUNDINGS, "borderTopColor") >= LEAST_EDGE_CONTRAST
    assert_readable(page)


def test_input_and_decoding_options_are_used(page: Page, size: str) -> None:
    page.get_by_label("Input (optional)").fill("France")
    page.get_by_role("button", name="Decoding options").click()
    page.get_by_label("number input for Longest answer").fill("2")
    screenshot(page, f"demo-{size}-options")
    ask(page, "Name the capital.")

    expect(answers(page).last).not_to_have_text("")
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    answer = answers(page).last.inner_text().strip()
    assert ANSWER.startswith(answer)
    assert answer != ANSWER


def test_an_example_fills_instruction_and_input(page: Page) -> None:
    page.get_by_text("Sort these words alphabetically.").first.click()

    expect(page.get_by_label("Input (optional)")).to_have_value("peach, apple, lemon")
    expect(page.get_by_placeholder("Write an instruction…")).to_have_value("Sort these words alphabetically.")
    page.get_by_role("button", name="Send").click()
    expect(answers(page).last).to_have_text(ANSWER)


def test_the_seed_is_blank_until_one_is_wanted(page: Page) -> None:
    page.get_by_role("button", name="Decoding options").click()
    expect(page.get_by_label("Seed")).to_have_value("")


def test_what_is_wrong_is_said_in_a_sentence_and_the_next_question_is_answered(page: Page) -> None:
    ask(page, " ")
    expect(answers(page).last).to_have_text("⚠️ Please write an instruction first.")

    ask(page, "What is the capital of France?")
    expect(answers(page).last).to_have_text(ANSWER)


def _is_foreign(url: str) -> bool:
    address = urlsplit(url)
    return address.scheme in ("http", "https", "ws", "wss") and address.hostname not in (
        "127.0.0.1",
        "localhost",
    )
