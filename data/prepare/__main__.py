"""`python -m data.prepare`: sources of any kind in, cleaned TFRecords with splits, manifest and report out."""

from __future__ import annotations

import argparse
import logging
import os
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from data.arguments import add_origin, percent, shard_count, share
from data.cleaning.rules import CAN_BE_KEPT
from data.command import exit_status
from data.conversations import TURNS
from data.origin import described
from data.prepare.settings import PrepareSettings
from data.schemas import parse_columns
from data.sources.formats.plain_text import SEPARATORS
from data.sources.items import ReadSettings

_DEFAULTS = PrepareSettings(())
# Settings whose argument has their name.
_SAME_NAMES = """
columns group turns input_markers scrub tokenizer min_tokens max_tokens deduplicate similarity ngram eval_percent seed
shards max_malformed
"""


def parser() -> argparse.ArgumentParser:
    """Returns the command's parser."""
    made = argparse.ArgumentParser(
        prog="python -m data.prepare",
        description="Write rows of any source as TFRecords: cleaned, without duplicates, split by a hash of prompts.",
    )
    made.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="file, folder, glob or address; alpaca:original, alpaca:cleaned; hf://datasets/OWNER/NAME@REVISION; "
        "tfds:NAME; mongodb://HOST/DATABASE/COLLECTION; or package.module:OBJECT, a data.sources.own.RowSource",
    )
    made.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="folder to write; an earlier output is replaced"
    )
    made.add_argument("--dry-run", action="store_true", help="write nothing, and tell what would be dropped")
    _add_reading(made.add_argument_group("reading"))
    _add_cleaning(made.add_argument_group("cleaning"))
    _add_splitting(made.add_argument_group("splits and origin"))
    _add_running(made.add_argument_group("running"))
    return made


def _add_reading(group: Any) -> None:
    add = group.add_argument
    add(
        "--columns",
        type=_told(parse_columns),
        default={},
        metavar="FIELD=COLUMN,…",
        help="columns of instruction, input and output, or of text, or of messages (default: of a known schema)",
    )
    add("--turns", choices=TURNS, default="drop", help="of a conversation with several turns (default: drop)")
    add(
        "--separator",
        choices=SEPARATORS,
        default="file",
        help="what parts a .txt file into documents: nothing, blank lines, or <|endoftext|> (default: file)",
    )
    add(
        "--max-row-bytes",
        type=int,
        default=_DEFAULTS.read.max_row_bytes,
        metavar="N",
        help="of a row (default: %(default)s)",
    )
    add(
        "--max-malformed",
        type=share,
        default=_DEFAULTS.max_malformed,
        metavar="SHARE",
        help="share of malformed records above which the run fails, 0 to 1 (default: %(default)s)",
    )
    add("--mongodb-query", default="{}", metavar="JSON", help="filter of the documents (default: all)")
    add("--mongodb-projection", default="", metavar="JSON", help="fields of the documents (default: all)")
    add("--mongodb-batch-size", type=int, default=_DEFAULTS.read.batch_size, metavar="N", help="(default: %(default)s)")
    add("--mongodb-part-rows", type=int, default=_DEFAULTS.read.part_rows, metavar="N", help="(default: %(default)s)")


def _add_cleaning(group: Any) -> None:
    add = group.add_argument
    add("--keep", action="append", default=[], choices=CAN_BE_KEPT, help="a rule that drops nothing; may be repeated")
    add(
        "--input-markers",
        choices=("blank", "keep"),
        default="blank",
        help='an input such as "noinput" (default: blank)',
    )
    add("--scrub", action="store_true", help="replace personal data and secrets by their kind, such as [EMAIL]")
    add("--languages", type=_codes, default=(), metavar="CODES", help="keep these alone, such as en,de (default: all)")
    add("--tokenizer", default="", metavar="DIR", help="folder of the tokenizer that counts tokens")
    add("--min-tokens", type=int, default=0, metavar="N", help="drop shorter rows; needs --tokenizer")
    add("--max-tokens", type=int, default=0, metavar="N", help="drop longer rows; needs --tokenizer")
    add("--deduplicate", choices=("near", "exact", "none"), default="near", help="which repetitions go (default: near)")
    add(
        "--similarity",
        type=share,
        default=_DEFAULTS.similarity,
        metavar="SHARE",
        help="of near-duplicates (default: 0.7)",
    )
    add("--decontaminate", action="append", default=[], metavar="SOURCE", help="evaluation prompts; may be repeated")
    add(
        "--ngram",
        type=int,
        default=_DEFAULTS.ngram,
        metavar="N",
        help="words not to share with them (default: %(default)s)",
    )


def _add_splitting(group: Any) -> None:
    add = group.add_argument
    add(
        "--eval-percent",
        type=percent,
        default=_DEFAULTS.eval_percent,
        metavar="P",
        help="share of prompts, each with all its rows, for eval, 0 to 100 (default: 5)",
    )
    add("--seed", type=int, default=0, help="another draws another split (default: 0)")
    add("--group", default="", metavar="COLUMN", help="rows of one group are never in two splits")
    add(
        "--shards",
        type=shard_count,
        default=_DEFAULTS.shards,
        metavar="N",
        help="train files; eval is one (default: 8)",
    )
    add_origin(group)


def _add_running(group: Any) -> None:
    add = group.add_argument
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine (default: 1)")
    add(
        "--beam-flag",
        action="append",
        default=[],
        metavar="FLAG",
        help="of Beam, such as --beam-flag=--runner=FlinkRunner",
    )
    add("--work", type=Path, metavar="DIR", help="folder that all workers see (default: beside the output)")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Returns the arguments; SystemExit with the reason for wrong ones."""
    made = parser()
    arguments = made.parse_args(argv)
    if (arguments.min_tokens or arguments.max_tokens) and not arguments.tokenizer:
        made.error("--min-tokens and --max-tokens need --tokenizer, the folder of the tokenizer that counts")
    if len(arguments.license) not in (0, 1, len(arguments.sources)):
        made.error(f"--license is for all sources, or for each: {len(arguments.sources)} times")
    if arguments.ngram < 4:
        made.error("--ngram must be 4 or more")
    return arguments


def settings_of(arguments: argparse.Namespace) -> PrepareSettings:
    """Returns the settings that the arguments say."""
    same = {name: getattr(arguments, name) for name in _SAME_NAMES.split()}
    return PrepareSettings(
        sources=tuple(map(_absolute, arguments.sources)),
        licenses=tuple(arguments.license),
        datasets=tuple(arguments.dataset),
        keep=tuple(arguments.keep),
        languages=tuple(arguments.languages),
        decontaminate=tuple(map(_absolute, arguments.decontaminate)),
        read=ReadSettings(
            separator=arguments.separator,
            max_row_bytes=arguments.max_row_bytes,
            query=arguments.mongodb_query,
            projection=arguments.mongodb_projection,
            batch_size=arguments.mongodb_batch_size,
            part_rows=arguments.mongodb_part_rows,
        ),
        **same,
    )


def run(arguments: argparse.Namespace) -> str:
    """Prepares the rows; returns what the screen shows."""
    from data.prepare.command import prepare  # Beam takes seconds to import, and --help needs none of it
    from data.prepare.report import REPORT, summary

    report, origin = prepare(
        settings_of(arguments),
        arguments.out,
        work_folder=arguments.work,
        beam_flags=_beam_flags(arguments),
        is_dry=arguments.dry_run,
    )
    where = "nothing was written: a dry run" if arguments.dry_run else f"see {arguments.out / REPORT}"
    return "\n".join([*summary(report), *described(origin), where]) + "\n"


def _beam_flags(arguments: argparse.Namespace) -> list[str]:
    if arguments.workers == 1 or arguments.beam_flag:
        return list(arguments.beam_flag)
    processes = f"--direct_num_workers={arguments.workers}"
    return ["--runner=FnApiRunner", "--direct_running_mode=multi_processing", processes]


def _absolute(source: str) -> str:
    """Returns a path as workers elsewhere see it; any other address as it is."""
    return os.path.abspath(source) if Path(source).exists() else source  # noqa: PTH100 - keeps a link's own name


def _codes(text: str) -> tuple[str, ...]:
    return tuple(code.strip().lower() for code in text.split(",") if code.strip())


def _told(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Returns `read` with its message shown, where argparse would show its name."""

    def reading(text: str) -> Any:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error

    return reading


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    arguments = parse(argv)
    return exit_status(lambda: run(arguments))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    raise SystemExit(main())
