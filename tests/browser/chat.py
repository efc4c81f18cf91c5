"""What a visitor does on the demo's page."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


def ask(page: Page, instruction: str) -> None:
    """Writes an instruction and sends it."""
    box = page.get_by_role("textbox", name=re.compile("^Instruction"))
    expect(box).to_be_enabled()
    box.fill(instruction)
    box.press("Enter")


def answers(page: Page) -> Locator:
    """Returns all answers on the page."""
    return page.locator("[data-testid=bot]")
