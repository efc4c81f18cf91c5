"""``python -m pipeline.report``: make a run's page anew, list the runs, compare two."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from modules.record import RecordError
from pipeline.errors import PipelineError
from pipeline.report.build import build_comparison, build_report
from pipeline.report.reading.run import read_outline
from pipeline.report.store import stores
from pipeline.report.tables import comparison_text, list_runs

OUTPUT_DIR_VARIABLE = "GPT2_ALPACA_OUTPUT_DIR"  # the configuration's
FAILED = 1


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command; returns its exit status."""
    options = _parser(environment).parse_args(arguments)
    run: Callable[[argparse.Namespace], str] = options.run_command
    try:
        sys.stdout.write(f"{run(options)}\n")
    except (PipelineError, RecordError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    return 0


def _parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--output-dir",
        default=environment.get(OUTPUT_DIR_VARIABLE) or "output",
        help="folder of the runs (%(default)s)",
    )
    place.add_argument("--pipeline-name", help="only the runs of this pipeline; by default of all in the folder")
    parser = argparse.ArgumentParser(prog="python -m pipeline.report", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(title="commands", required=True)
    show = commands.add_parser("show", parents=[place], help="make a run's page anew, from the metadata store")
    show.add_argument("--run", help="id of the run; by default the newest")
    show.set_defaults(run_command=_show)
    listing = commands.add_parser("list", parents=[place], help="list the runs")
    listing.set_defaults(run_command=_list)
    comparing = commands.add_parser("compare", parents=[place], help="tell what changed from one run to another")
    comparing.add_argument("first", help="id of a run")
    comparing.add_argument("second", help="id of another")
    comparing.set_defaults(run_command=_compare)
    return parser


def _show(options: argparse.Namespace) -> str:
    return str(build_report(options.output_dir, pipeline_name=options.pipeline_name, run_id=options.run))


def _list(options: argparse.Namespace) -> str:
    found = stores(options.output_dir, options.pipeline_name)
    return list_runs([read_outline(store.read(name.run_id)) for store in found for name in store.runs()])


def _compare(options: argparse.Namespace) -> str:
    comparison, page = build_comparison(
        options.output_dir, options.first, options.second, pipeline_name=options.pipeline_name
    )
    return f"{comparison_text(comparison)}\n\n{page}"
