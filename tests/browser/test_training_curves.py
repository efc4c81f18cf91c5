"""What TensorBoard shows of a training, in a real browser; screenshots of it are kept in tests/artifacts/."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from modules.training.callbacks.base import StepLogs
from modules.training.callbacks.tensorboard import TensorBoardLog
from tests.browser.opening import NEEDS_CHROMIUM, Scheme, new_page, screenshot

pytestmark = NEEDS_CHROMIUM

STEPS = 400
RUN = "tiny/Trainer/model_run/7"


@pytest.fixture(scope="module")
def tensorboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a TensorBoard that shows one training."""
    folder = tmp_path_factory.mktemp("curves")
    _log_training(folder / RUN)
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield _address(process)
        finally:
            process.terminate()


def _log_training(folder: Path) -> None:
    log = TensorBoardLog(
        str(folder), learning_rate=lambda step: 1e-3 * step / STEPS, tokens_per_supervised=3.0, every_steps=10
    )
    log.write_data("train", {"rows": 1449, "tokens": 40_123, "pad_fraction": 0.0125})
    log.write_data("eval", {"rows": 207, "tokens": 5_120, "pad_fraction": 0.02})
    for step in range(1, STEPS + 1):
        loss = 4 * math.exp(-step / 80)
        logs = StepLogs(step=step, loss=loss, token_accuracy=1 - loss / 4, tokens=120)
        log.on_train_batch_end(step - 1, logs)
        if step % 50 == 0:
            log.on_test_end(StepLogs(step=step, loss=loss + 0.2, token_accuracy=0.95 - loss / 4, tokens=120))
    log.write_samples(STEPS, [("### Instruction:\nCapital of France?\n\n### Response:\n", "Paris")])
    log.close()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", line):
            return found[0]
    pytest.fail("TensorBoard ended before it served")


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, tensorboard: str, size: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    scheme: Scheme = "light" if request.param == "light" else "dark"
    page = new_page(browser, size, scheme)
    page.goto(tensorboard)
    yield page
    screenshot(page, f"tensorboard-{size}-{scheme}")
    page.close()


def test_it_opens_on_the_losses_and_shows_no_single_points(page: Page) -> None:
    expect(page.locator("card-view")).to_have_count(2)
    for card, name in zip(page.locator("card-view").all(), ("loss", "token_accuracy"), strict=True):
        expect(card).to_contain_text(name)
        expect(card.locator("line-chart")).to_be_visible()
    groups = page.locator("metrics-card-group-toolbar").all_inner_texts()
    assert [re.sub(r"\d+ cards$", "", text).strip() for text in groups] == ["loss", "token_accuracy", "training"]
