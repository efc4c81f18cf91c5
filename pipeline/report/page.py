"""Facts and pictures in, one page out that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.report import formatting, view
from pipeline.report.comparison import Comparison
from pipeline.report.facts import RunFacts
from pipeline.report.figures import Figure, comparison_figures, make_figures
from pipeline.report.png import write_png
from pipeline.report.svg import svg

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
PAGE = "index.html"


def write_page(facts: RunFacts, folder: Path) -> Path:
    """Writes index.html and a PNG per picture into `folder`, and takes away pictures of an earlier page.

    Returns:
        The page.
    """
    figures = make_figures(facts)
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in figures.items():
        write_png(made.wide, folder / f"{name}.png")
    for stale in folder.glob("*.png"):
        if stale.stem not in figures:
            stale.unlink()
    return write_page_atomically(folder / PAGE, render_page(facts, figures))


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Writes the page about two runs and a PNG per picture into `folder`.

    Returns:
        The page.
    """
    figures = list(comparison_figures(comparison.first, comparison.second))
    folder.mkdir(parents=True, exist_ok=True)
    for _, made in figures:
        write_png(made.wide, folder / f"{made.name}.png")
    runs = f"{comparison.first.run_id} and {comparison.second.run_id}"
    text = render(
        "compare.html.j2",
        comparison=comparison,
        figures=figures,
        title=f"Runs {runs}",
        sentence=f"What changed between the runs {runs}",
    )
    return write_page_atomically(folder / PAGE, text)


def write_page_atomically(page: Path, text: str) -> Path:
    """Writes `page` so that nobody sees half of it."""
    partial = page.with_name(f".{page.name}.partial")
    partial.write_text(text, encoding="utf-8")
    return partial.replace(page)


def render_page(facts: RunFacts, figures: dict[str, Figure]) -> str:
    """Returns the page's HTML; every text that comes from the data is escaped."""
    return render("report.html.j2", facts=facts, figures=figures, page=view.make_view(facts, figures))


def render(template: str, **values: object) -> str:
    """Returns a template of this package with `values`."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    return _environment(style).get_template(template).render(**values)


def _environment(style: str) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["style"] = Markup(style)
    environment.filters |= {
        "svg": svg,
        "duration": formatting.duration,
        "size": formatting.size,
        "figure": formatting.figure,
        "metric": formatting.metric,
        "change": formatting.change,
        "is_better": formatting.is_better,
        "readable": formatting.readable,
        "place": formatting.place,
        "sentence": formatting.sentence,
        "moment": formatting.moment,
        "outcome": formatting.outcome,
    }
    return environment
