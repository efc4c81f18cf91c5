"""`python -m data.text`: write documents of raw text as TFRecords, for pre-training."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from data.alpaca.sources import sha256_of
from data.arguments import add_origin, percent, shard_count
from data.command import exit_status
from data.origin import Origin, described
from data.text.convert import REPORT, convert
from data.text.documents import END_TOKEN, Separator, read_documents, source_files


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m data.text",
        description="Write documents of raw text as TFRecords, split into train and eval by a hash of each document.",
    )
    add = parser.add_argument
    add(
        "sources",
        nargs="+",
        type=Path,
        metavar="SOURCE",
        help=".txt or .jsonl file, also .gz, .bz2, .xz or .zst, or a folder of such files",
    )
    add(
        "--output-dir",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder to write; replaced if it is an earlier output",
    )
    add(
        "--separator",
        choices=get_args(Separator),
        default="file",
        help=f"what parts a .txt file into documents: nothing, blank lines, or {END_TOKEN} (default: file)",
    )
    add("--field", default="text", metavar="NAME", help="where a line of .jsonl has its text (default: text)")
    add(
        "--eval-percent",
        type=percent,
        default=5.0,
        metavar="P",
        help="share of documents for eval, 0 to 100 (default: 5)",
    )
    add("--shards", type=shard_count, default=8, metavar="N", help="train files; eval is one (default: 8)")
    add_origin(parser)
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], Origin]:
    """Finds the files, reads, converts; returns the report and what is known of the sources."""
    names = (path.absolute().name for path in arguments.sources)
    origin = Origin(arguments.license, tuple(arguments.dataset), tuple(names))
    files = source_files(arguments.sources)
    documents = (
        document
        for path in files
        for document in read_documents(path, separator=arguments.separator, field=arguments.field)
    )
    facts = [{"name": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size} for path in files]
    settings = {name: getattr(arguments, name) for name in ("separator", "field", "eval_percent")}
    report = convert(
        documents,
        arguments.output_dir,
        origin=origin,
        source_facts=facts,
        settings=settings,
        eval_percent=arguments.eval_percent,
        shards=arguments.shards,
    )
    return report, origin


def summary(report: dict[str, Any], origin: Origin, out: Path) -> str:
    """Returns what the screen shows of report.json and dataset.json."""
    sides = ", ".join(
        f"{side['documents']} {split} ({side['characters']:,} characters)" for split, side in report["splits"].items()
    )
    lines = [
        f"{report['documents_read']} documents read, {report['documents_kept']} written: {sides}; see {out / REPORT}",
        f"dropped: {report['documents_blank']} blank",
        f"documents that repeat another: {report['documents_repeated']}",
    ]
    if report["documents_with_end_token"]:
        lines.append(
            f"{report['documents_with_end_token']} documents hold a literal {END_TOKEN}, which training reads as plain "
            "text; --separator end-token parts them there"
        )
    return "\n".join([*lines, *described(origin)]) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    return exit_status(lambda: summary(*run(arguments), arguments.output_dir))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    raise SystemExit(main())
