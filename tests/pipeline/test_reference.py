"""docs/configuration.md says of every setting what its docstring says."""

from __future__ import annotations

from pipeline.config.reference import PAGE, render
from pipeline.config.sources import field_names


def test_the_page_is_what_the_command_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m pipeline.config.reference"


def test_every_setting_has_a_row_with_its_meaning() -> None:
    rows = {line.split("`")[1]: line for line in render().splitlines() if line.startswith("| `")}

    assert set(field_names()) <= rows.keys()
    assert [name for name in field_names() if rows[name].endswith("|  |")] == []


def test_lists_and_what_is_not_set_are_written_as_a_flag_has_them() -> None:
    page = render()

    assert "| `publish.exports` | `transformers keras ctranslate2 saved_model` |" in page
    assert "| `model.preset` | `none` |" in page
    assert "| `enable_cache` | `true` |" in page
