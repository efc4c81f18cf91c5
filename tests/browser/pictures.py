"""Makes the pictures of the README from a finished run: ``python -m tests.browser.pictures --output-dir output``.

The run's page, the published demo and the server's page about its routes are opened in a real Chromium, in their light
colours. The graph of the components is the one that the run's report drew.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser, expect

from hub import demo
from serving.app import create_app
from serving.docs_page import docs_page
from serving.keys import ApiKeys
from serving.service import Service
from serving.settings import ServingSettings
from tests.browser.chat import answers, ask
from tests.browser.opening import CHROMIUM, chromium, new_page

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
# In phrasings that the sample's train rows do not hold.
QUESTIONS: Final = (
    "Which city is the capital city of Poland?",
    'Is the word "city" a noun or a verb?',
    "Which day comes after Sunday?",
)
LARGEST_BYTES: Final = 200_000
COLORS: Final = 128
GRAPH_WIDTH: Final = 1400  # pixels


class PictureError(RuntimeError):
    """A picture cannot be made."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the pictures and prints their names and sizes; returns the exit status."""
    options = _parser().parse_args(arguments)
    options.into.mkdir(parents=True, exist_ok=True)
    try:
        make_pictures(options.output_dir, options.into, options.question or QUESTIONS)
    except (PictureError, demo.DemoError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for picture in sorted(options.into.glob("*.png")):
        sys.stdout.write(f"{picture}: {picture.stat().st_size:,} bytes\n")
    return 0


def make_pictures(output: Path, folder: Path, questions: Sequence[str]) -> None:
    """Writes demo.png, report.png, pipeline.png and server.png.

    Args:
        output: of the run, with ``reports/`` and ``hub/``.
        folder: of the pictures.
        questions: that the demo is asked.

    Raises:
        PictureError: If there is no Chromium or no report, or a picture is too large.
        DemoError: If no Space was published.
    """
    if CHROMIUM is None:
        raise PictureError(
            "Pictures are made by Chromium. Received: none on PATH. Install it: apt-get install chromium"
        )
    report = newest_report(output)
    draw_graph(report / "dag.png", folder / "pipeline.png")
    with chromium() as browser:
        picture_report(browser, report / "index.html", folder / "report.png")
        picture_demo(browser, output / "hub", folder / "demo.png", questions)
        picture_server(browser, folder / "server.png")
    for picture in folder.glob("*.png"):
        check_size(picture)


def newest_report(output: Path) -> Path:
    """Returns the folder of the newest run's report."""
    reports = sorted(page.parent for page in (output / "reports").glob("*/index.html"))
    if not reports:
        raise PictureError(f"A run must have ended with a report. Received: none in {output}/reports. Run `make run`.")
    return reports[-1]


def picture_report(browser: Browser, page_file: Path, picture: Path) -> None:
    """Writes what the top of the run's page looks like."""
    page = new_page(browser, "desktop", "light")
    page.goto(page_file.resolve().as_uri())
    expect(page.locator("h1")).to_be_visible()
    page.screenshot(path=picture)
    page.close()
    reduce_colors(picture)


def picture_demo(browser: Browser, storage: Path, picture: Path, questions: Sequence[str]) -> None:
    """Writes what the demo looks like after some questions."""
    os.environ.update(demo.past_proxies(os.environ) | demo.QUIET_CLIENT)
    with tempfile.TemporaryDirectory() as work_dir:
        options = demo.Options(storage, port=None, demo_port=_free_port(), space_repo_id=None, work_dir=Path(work_dir))
        with demo.serving(options) as (address, _):
            page = new_page(browser, "desktop", "light")
            page.goto(address)
            for number, question in enumerate(questions, start=1):
                ask(page, question)
                expect(answers(page)).to_have_count(number)
                expect(answers(page).last).to_have_text(re.compile(r"\S"))
                expect(page.get_by_role("button", name="Send")).to_be_visible()
            page.screenshot(path=picture)
            page.close()
    reduce_colors(picture)


def picture_server(browser: Browser, picture: Path) -> None:
    """Writes what the top of the server's page about its routes looks like; it is the same for every model."""
    page = new_page(browser, "desktop", "light")
    page.set_content(docs_page(create_app(Service(ServingSettings(), ApiKeys())).openapi()))
    expect(page.locator("h1")).to_be_visible()
    page.screenshot(path=picture)
    page.close()
    reduce_colors(picture)


def draw_graph(drawn: Path, picture: Path) -> None:
    """Writes the report's picture of the components at a width that a README shows."""
    with Image.open(drawn) as image:
        height = round(image.height * GRAPH_WIDTH / image.width)
        image.convert("RGB").resize((GRAPH_WIDTH, height), Image.Resampling.LANCZOS).save(picture)
    reduce_colors(picture)


def reduce_colors(picture: Path) -> None:
    """Writes a PNG again with few colours, so that it is small."""
    with Image.open(picture) as image:
        reduced = image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)
    reduced.save(picture, optimize=True)


def check_size(picture: Path) -> None:
    """Refuses a picture that is too large for a repository."""
    size = picture.stat().st_size
    if size > LARGEST_BYTES:
        raise PictureError(f"A picture must have at most {LARGEST_BYTES:,} bytes. Received: {picture}, {size:,} bytes.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return int(probe.getsockname()[1])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__, allow_abbrev=False)
    parser.add_argument("--output-dir", type=Path, default=Path("output"), help="folder of the runs (%(default)s)")
    parser.add_argument("--into", type=Path, default=PICTURES, help="folder of the pictures (%(default)s)")
    parser.add_argument("--question", action="append", help="for the demo; may be given several times")
    return parser


if __name__ == "__main__":
    sys.exit(main())
