"""Building blocks of the pages: all text that they are given is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from importlib.resources import files as package_files
from typing import Final

from markdown_it import MarkdownIt
from starlette.responses import HTMLResponse, Response

from hub.front_matter import metadata, split_card

_POLICY: Final = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"}
_STYLE: Final = package_files("hub").joinpath("pages.css")
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")
_FIELDS_AS_LABELS: Final = ("license", "pipeline_tag", "library_name", "base_model", "sdk")


def document(title: str, body: str, *, status: int = 200) -> Response:
    """Returns a whole page; it loads nothing and runs no script."""
    style = _STYLE.read_text(encoding="utf-8")
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<style>{style}</style></head><body><main>{body}</main></body></html>",
        status_code=status,
        headers=_POLICY,
    )


def link(target: str, text: str, *, attributes: str = "") -> str:
    """Returns a link; `attributes` are of the page's own making."""
    return f'<a href="{escape(target)}"{attributes}>{path(text)}</a>'


def path(text: str) -> str:
    """Returns a text that may be broken after its slashes and underscores."""
    return escape(text).replace("/", "/<wbr>").replace("_", "_<wbr>")


def trail(*steps: str) -> str:
    """Returns the place of a page: links from the start page down to it."""
    way = " / ".join((link("/", "Local Hub"), *steps))
    return f'<nav class="trail" aria-label="Where this is">{way}</nav>'


def labels(texts: Iterable[str]) -> str:
    """Returns short facts beside a heading."""
    return "".join(f'<span class="label">{escape(text)}</span>' for text in texts)


def table(headings: Iterable[str], rows: Iterable[Iterable[str]], *, kind: str) -> str:
    """Returns a table of cells that are HTML already; on a narrow screen each row stands as a block, as `kind` has
    it."""
    names = list(headings)
    head = "".join(f'<th scope="col" class="{_css_class(name)}">{escape(name)}</th>' for name in names)
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{_css_class(name)}">{cell}</td>' for name, cell in zip(names, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="{kind}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def card(text: str) -> str:
    """Returns a README as HTML, its front matter folded; markup inside it is shown as text."""
    front_matter, body = split_card(text)
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("table_open", lambda *_: '<div class="scroll"><table>')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>")
    return _folded(front_matter) + f"<article>{markdown.render(body)}</article>"


def card_labels(text: str) -> list[str]:
    """Returns the labels that a README's front matter gives."""
    fields = metadata(text)
    return [value for name in _FIELDS_AS_LABELS if isinstance(value := fields.get(name), str)]


def size(count: float) -> str:
    """Bytes to read: 512 bytes, 3.6 MiB."""
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:,.0f} {_UNITS[unit]}" if not unit or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def _folded(front_matter: str | None) -> str:
    if not front_matter:
        return ""
    lines = front_matter.count("\n") + 1
    return f"<details><summary>Front matter, {lines} lines</summary><pre>{escape(front_matter)}</pre></details>"


def _css_class(heading: str) -> str:
    return heading.replace(" ", "-")
