"""The report as a page: report.html, one file without scripts that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from data.origin import Origin

PAGE = "report.html"

_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def render_page(report: Mapping[str, Any], origin: Origin) -> str:
    """Returns the page of a report.

    Args:
        report: what report.json holds.
        origin: of the rows.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(report=report, origin=origin)
