"""Tables as lines of text."""

from __future__ import annotations

from pipeline.terminal_text import column_widths, render, table


def test_columns_are_as_wide_as_they_need_to_be_and_lines_end_without_spaces() -> None:
    rows = [["run", "took"], ["20261122-010203", ""], ["日本", "3 s"]]

    assert render(table(rows)).splitlines() == ["run              took", "20261122-010203", "日本             3 s"]
    assert column_widths(rows) == [15, 4]


def test_a_cell_stays_on_one_line_is_cut_where_it_is_too_long_and_is_shown_as_it_is() -> None:
    rows = [["[bold]x[/] :smile:", "two\nlines"], ["z" * 70, "end"]]

    assert render(table(rows, widest=60)).splitlines() == [
        f"[bold]x[/] :smile:{' ' * 44}two lines",
        f"{'z' * 59}…  end",
    ]


def test_tables_that_stand_one_below_the_other_may_share_their_columns() -> None:
    text = render("[a]", table([["x", "y"]], widths=[4, 1], gap=1), "", "b" * 300)

    assert text == f"[a]\nx    y\n\n{'b' * 300}"
