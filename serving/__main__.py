"""Serves a revision over HTTP: `python -m serving [MODEL]`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from serving.answering.line import BatchRule
from serving.answering.rounds import RoundRule
from serving.answering.scheduler import Limits
from serving.arguments import MODEL_HELP, add_source_flags, source_of
from serving.keys import ApiKeys
from serving.logs import log_to_stderr
from serving.server import run
from serving.service import Service
from serving.settings import DEFAULT_PORT, KEYS_ENV, ClientLimits, ServingSettings, usable_cores


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until interrupted."""
    options = _parser().parse_args(arguments)
    log_to_stderr()
    try:
        settings = settings_of(options)
        service = Service(settings, ApiKeys.read(os.environ, settings))
        return run(source_of(options), service, tell=_tell)
    except Exception as error:
        if not getattr(error, "user_message", False):
            raise
        sys.stderr.write(f"{error}\n")
        return 1


def settings_of(options: argparse.Namespace) -> ServingSettings:
    """Returns the settings that the flags name."""
    return ServingSettings(
        host=options.host,
        port=options.port,
        limits=Limits(
            lanes=options.lanes,
            waiting=options.max_waiting,
            answer_seconds=options.answer_seconds,
            batch=BatchRule(rows=options.batch_rows, spread=options.batch_spread),
            round=RoundRule(tokens=options.round_tokens, share=options.round_share),
        ),
        threads=options.threads,
        client=ClientLimits(options.requests_per_minute, options.answers_at_once),
        body_bytes=options.max_body_bytes,
        grace_seconds=options.grace_seconds,
        form=options.form,
        follow_seconds=options.follow,
    )


def _parser() -> argparse.ArgumentParser:
    usual = ServingSettings()
    limits = usual.limits
    parser = argparse.ArgumentParser(prog="python -m serving", description="Serve a revision over HTTP.")
    add = parser.add_argument
    add("model", nargs="?", help=MODEL_HELP)
    add_source_flags(parser)
    add("--host", default=usual.host, help=f"address to listen on ({usual.host}); another needs keys in {KEYS_ENV}")
    add("--port", type=int, default=DEFAULT_PORT, help=f"port to listen on; 0 takes a free one ({DEFAULT_PORT})")
    add("--follow", type=float, nargs="?", const=30.0, metavar="SECONDS",
        help="look every so often (30 s) whether the branch has moved, and take the new revision up")  # fmt: skip
    cores = f"{limits.lanes}: the {usable_cores()} cores, two at least"
    add("--lanes", type=_at_least_one, default=limits.lanes, help=f"batches computed side by side ({cores})")
    add("--threads", type=_at_least_one, default=usual.threads, help=f"threads of each lane ({usual.threads})")
    add("--batch-rows", type=_at_least_one, default=limits.batch.rows, help=f"answers in a batch ({limits.batch.rows})")
    add("--batch-spread", type=int, default=limits.batch.spread,
        help=f"tokens by which they may differ in length ({limits.batch.spread})")  # fmt: skip
    add("--round-tokens", type=int, default=limits.round.tokens,
        help=f"tokens that a batch gets before others may join ({limits.round.tokens})")  # fmt: skip
    add("--round-share", type=float, default=limits.round.share,
        help=f"and seconds of answering, for each second of reading prefixes ({limits.round.share})")  # fmt: skip
    add("--max-waiting", type=int, default=limits.waiting, help=f"answers that may wait ({limits.waiting})")
    add("--answer-seconds", type=float, default=limits.answer_seconds,
        help=f"longest time of an answer ({limits.answer_seconds:.0f})")  # fmt: skip
    add("--requests-per-minute", type=_at_least_one, help="of one client (any number)")
    at_once = usual.client.answers_at_once
    add("--answers-at-once", type=_at_least_one, default=at_once, help=f"of one client ({at_once})")
    add("--max-body-bytes", type=_at_least_one, default=usual.body_bytes, help=f"of a request ({usual.body_bytes})")
    add("--grace-seconds", type=float, default=usual.grace_seconds,
        help=f"that answers have to finish when the server ends ({usual.grace_seconds:.0f})")  # fmt: skip
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more. Received: {number}")
    return number


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
