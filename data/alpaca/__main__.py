"""`python -m data.alpaca`: write Alpaca, or a local file of its schema, as TFRecords."""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.alpaca.convert import REPORT, convert
from data.alpaca.download import download
from data.alpaca.sources import EDITIONS, LICENSE, ORIGINS, RowSource, edition_of, own_source, require_sha256
from data.arguments import add_origin, percent, shard_count
from data.command import exit_status
from data.errors import SourceError
from data.origin import Origin, described

_CHECKSUM_PREFIX = "sha256:"


def sha256(text: str) -> str:
    digest = text.removeprefix(_CHECKSUM_PREFIX)
    if not text.startswith(_CHECKSUM_PREFIX) or len(digest) != 64:
        raise ValueError
    return digest


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m data.alpaca",
        description="Write instruction rows as TFRecords, split into train and eval by a hash of each prompt.",
        epilog=f"Stanford Alpaca and its cleaned edition are {LICENSE}: research use only.",
    )
    add = parser.add_argument
    add(
        "--source",
        required=True,
        metavar="original|cleaned|PATH|MODULE:OBJECT",
        help="public edition, .json/.jsonl file, or a data.alpaca.sources.RowSource of your own",
    )
    add(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="folder to write; replaced if it is an earlier output",
    )
    add(
        "--eval-percent",
        type=percent,
        default=5.0,
        metavar="P",
        help="share of prompts, each with all its rows, for eval, 0 to 100 (default: 5)",
    )
    add("--shards", type=shard_count, default=8, metavar="N", help="train files; eval is one (default: 8)")
    add(
        "--checksum",
        type=sha256,
        metavar="sha256:HEX",
        help="refuse the source unless it hashes to this",
    )
    add(
        "--input-markers",
        choices=("blank", "keep"),
        default="blank",
        help='what to do with an input that only says "noinput" or the like (default: blank)',
    )
    add(
        "--download-dir",
        type=Path,
        default=Path("output/downloads"),
        metavar="DIR",
        help="default: %(default)s",
    )
    add_origin(parser)
    return parser.parse_args(argv)


def run(arguments: argparse.Namespace) -> tuple[dict[str, Any], Origin]:
    """Fetches, checks, converts; returns the report and what is known of the source."""
    if is_custom_source(arguments.source):
        return _convert_custom_source(arguments, own_source(arguments.source))
    public = arguments.source in EDITIONS
    path = download(arguments.source, arguments.download_dir) if public else Path(arguments.source)
    sha256 = require_sha256(path, arguments.checksum)
    facts = {
        "name": arguments.source if public else path.name,
        **({"url": EDITIONS[arguments.source]} if public else {}),
        "sha256": sha256,
        "bytes": path.stat().st_size,
    }
    origin = _origin(arguments, path, sha256)
    return _convert(arguments, path, facts, origin), origin


def is_custom_source(source: str) -> bool:
    """Returns whether a source is neither a public edition nor a file, but refers to an object."""
    return re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", source) is not None and not Path(source).exists()


def _convert_custom_source(arguments: argparse.Namespace, source: RowSource) -> tuple[dict[str, Any], Origin]:
    if arguments.checksum or arguments.license or arguments.dataset:
        raise SourceError(
            "A source of your own tells its origin itself, and has no file. Received: it with --checksum, --license "
            "or --dataset. Leave them out."
        )
    return _convert(arguments, source, {"name": source.name}, source.origin), source.origin


def _convert(
    arguments: argparse.Namespace, source: Path | RowSource, facts: Mapping[str, Any], origin: Origin
) -> dict[str, Any]:
    return convert(
        source,
        arguments.out,
        source_facts=facts,
        origin=origin,
        eval_percent=arguments.eval_percent,
        shards=arguments.shards,
        input_markers=arguments.input_markers,
    )


def _origin(arguments: argparse.Namespace, path: Path, sha256: str) -> Origin:
    """Returns what is known of a public edition, by its content, or what the arguments say of any other file."""
    origin = Origin(arguments.license, tuple(arguments.dataset), (path.name,))
    edition = edition_of(sha256)
    if edition is None:
        return origin
    if origin.license or origin.datasets:
        raise SourceError(
            f"--license and --dataset are for rows of your own. Received: they beside Alpaca's edition {edition!r}, "
            f"which is {LICENSE}. Leave them out."
        )
    return ORIGINS[edition]


def summary(report: dict[str, Any], origin: Origin, out: Path) -> str:
    """Returns what the screen shows of report.json, every count in it, and of dataset.json."""
    sides = ", ".join(f"{side['rows']} {split}" for split, side in report["splits"].items())
    drops = ", ".join(f"{drop['rows']} {reason}" for reason, drop in report["rows_dropped"].items())
    treated = "made empty" if report["settings"]["input_markers"] == "blank" else "kept"
    lines = [
        f"{report['rows_read']} rows read, {report['rows_kept']} written: {sides}; see {out / REPORT}",
        f"dropped: {drops or 'none'}",
        f"inputs that only say there is none, {treated}: {sum(report['rows_with_input_marker'].values())}",
        f"rows with an input: {report['rows_with_input']}",
        f"rows that repeat another: {report['rows_repeated']}",
        f"evaluation rows whose prompt is in train: {report['eval_rows_whose_prompt_is_in_train']}",
        *described(origin),
    ]
    return "".join(f"{line}\n" for line in lines)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse(argv)
    return exit_status(lambda: summary(*run(arguments), arguments.out))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    raise SystemExit(main())
