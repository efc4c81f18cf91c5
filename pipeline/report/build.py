"""A run's page from the metadata store: find the run, read the facts, write."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.layout import reports_folder
from pipeline.report.comparison import Comparison, compare
from pipeline.report.page import write_comparison, write_page
from pipeline.report.reading.run import read_facts
from pipeline.report.store import StoredRun, find_run, stores

NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+|^\.+")


def build_report(output_dir: str, *, pipeline_name: str | None = None, run_id: str | None = None) -> Path:
    """Writes the page of a run, the newest without `run_id`; returns its path.

    Raises:
        RunNotFoundError: If there is no such run.
        StoreUnreadableError: If ML Metadata cannot read its file.
    """
    run = find_run(stores(output_dir, pipeline_name), run_id)
    return write_page(read_facts(run), report_folder(output_dir, run))


def report_folder(output_dir: str, run: StoredRun) -> Path:
    """Returns where the page of `run` lies."""
    return reports_folder(output_dir) / safe_name(run.run_id)


def safe_name(run_id: str) -> str:
    """Returns a run id as the name of a folder."""
    return NOT_IN_A_NAME.sub("-", run_id)


def build_comparison(
    output_dir: str, first: str, second: str, *, pipeline_name: str | None = None
) -> tuple[Comparison, Path]:
    """Compares two runs and writes the page.

    Raises:
        RunNotFoundError: If there is no such run.
        StoreUnreadableError: If ML Metadata cannot read its file.
    """
    found = stores(output_dir, pipeline_name)
    comparison = compare(*(read_facts(find_run(found, run_id)) for run_id in (first, second)))
    folder = reports_folder(output_dir) / f"{safe_name(first)}..{safe_name(second)}"
    return comparison, write_comparison(comparison, folder)
