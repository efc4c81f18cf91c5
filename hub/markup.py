"""Renders the pages from `templates/`: all text that they are given is escaped."""

from __future__ import annotations

import re
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from hub.front_matter import metadata, split_card

TEMPLATES: Final = Path(__file__).with_name("templates")
_POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"}
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_FIELDS_AS_LABELS: Final = ("license", "pipeline_tag", "library_name", "base_model", "sdk")


def page(template: str, *, status: int = 200, **values: object) -> Response:
    """Returns a whole page, which loads nothing and runs no script."""
    return HTMLResponse(_render(template, **values), status_code=status, headers=_POLICY)


def card(text: str) -> Markup:
    """Returns a README as HTML, its front matter folded; markup inside it is shown as text."""
    front_matter, body = split_card(text)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>")
    return Markup(_render("card.html.j2", front_matter=front_matter, article=Markup(markdown.render(body))))


def card_labels(text: str) -> list[str]:
    """Returns the labels that a README's front matter gives."""
    fields = metadata(text)
    return [value for name in _FIELDS_AS_LABELS if isinstance(value := fields.get(name), str)]


def size(count: float) -> str:
    """Returns bytes to read: 512 bytes, 3.6 MiB."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:,.0f} {_UNITS[unit]}" if not unit or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


class _WithoutIndentation(Extension):
    """Leaves the line breaks and the indentation of a template out of the page, where some of them would show."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"\s*\n\s*", "", source)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_escaped,
        undefined=StrictUndefined,
        extensions=[_WithoutIndentation],
    )
    environment.globals["style"] = Markup((TEMPLATES / "pages.css").read_text(encoding="utf-8"))
    environment.filters |= {"breakable": _breakable, "quoted": partial(quote, safe=""), "size": size}
    return environment


def _escaped(value: Any) -> Markup:
    """Returns `value` as HTML, with quotes as `html.escape` writes them."""
    return Markup(value if hasattr(value, "__html__") else escape(str(value)))


def _breakable(text: str) -> Markup:
    """Returns a text that may be broken after its slashes and underscores."""
    return Markup(escape(text).replace("/", "/<wbr>").replace("_", "_<wbr>"))
