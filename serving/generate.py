"""Asks a revision from the command line: one prompt, a line of standard input each, or a chat.

python -m serving.generate "Name a river." --model me/my-model@v20261121-225207 --endpoint https://huggingface.co
python -m serving.generate --json < questions.txt
python -m serving.generate
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TextIO

from serving.answering.answer import Answer
from serving.answering.model import Model
from serving.answering.prompt import Decoding, decoding_for
from serving.answering.scheduler import Limits, Scheduler
from serving.arguments import MODEL_HELP, add_source_flags, source_of
from serving.errors import SettingsError
from serving.settings import usable_cores
from serving.sources import Revision, find_revision

LANES = 2
AHEAD = 64  # lines that are answered together, while earlier ones are printed
FAREWELLS = ("/quit", "/exit")
PROMPT_MARK = "> "


def main(arguments: Sequence[str] | None = None) -> int:
    """Answers what there is to answer; returns 1 where a message says why it could not."""
    options = _parser().parse_args(arguments)
    try:
        with _opened(options) as (revision, scheduler):
            decoding = _decoding(options, scheduler.model)
            if options.instruction is not None:
                _answer_all([{"instruction": options.instruction, "input": options.input}], revision, scheduler,
                            decoding, as_json=options.json)  # fmt: skip
            elif sys.stdin.isatty():
                _chat(revision, scheduler, decoding)
            else:
                _answer_all(_rows(sys.stdin, options.input), revision, scheduler, decoding, as_json=options.json)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be written at exit
        return 0
    except Exception as error:
        if not getattr(error, "user_message", False):
            raise
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[tuple[Revision, Scheduler]]:
    revision = find_revision(source_of(options), form=options.form)
    threads = max(1, usable_cores() // LANES)
    model = Model(revision.files, lanes=LANES, threads=threads)
    scheduler = Scheduler(model, Limits(lanes=LANES, answer_seconds=3600))
    try:
        yield revision, scheduler
    finally:
        scheduler.close()
        model.close()


def _answer_all(
    rows: Sequence[dict[str, str]] | Iterator[dict[str, str]],
    revision: Revision,
    scheduler: Scheduler,
    decoding: Decoding,
    *,
    as_json: bool,
) -> None:
    """Prints the answers in the order of the questions, of which some are answered ahead."""
    pending: list[tuple[dict[str, str], Answer, int]] = []
    try:
        for row in rows:
            pending.append((row, *_ask(scheduler, row, decoding)))
            if len(pending) >= AHEAD:
                _print(*pending.pop(0), revision, as_json=as_json)
        while pending:
            _print(*pending.pop(0), revision, as_json=as_json)
    finally:
        for _, answer, _ in pending:
            answer.cancel()


def _ask(scheduler: Scheduler, row: dict[str, str], decoding: Decoding) -> tuple[Answer, int]:
    model = scheduler.model
    prompt = model.format.prompt(row["instruction"], row["input"])
    encoded = model.encode(prompt, max_new_tokens=decoding.max_new_tokens)
    (answer,) = scheduler.ask([(encoded.tokens, decoding)])
    return answer, encoded.cut


def _print(row: dict[str, str], answer: Answer, cut: int, revision: Revision, *, as_json: bool) -> None:
    if as_json:
        text = "".join(piece.text for piece in answer.pieces())
        line: dict[str, Any] = {
            **row,
            "response": text,
            "finish_reason": answer.reason,
            "prompt_tokens": len(answer.prompt),
            "cut_tokens": cut,
            "completion_tokens": len(answer.tokens),
            "model": revision.name,
            "revision": revision.fingerprint,
        }
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    else:
        _stream(answer, cut)
    sys.stdout.flush()
    if answer.error is not None:
        raise answer.error


def _stream(answer: Answer, cut: int) -> None:
    if cut:
        sys.stderr.write(f"The prompt was too long: its first {cut} tokens were left out.\n")
    for piece in answer.pieces():
        sys.stdout.write(piece.text)
        sys.stdout.flush()
    sys.stdout.write("\n")


def _chat(revision: Revision, scheduler: Scheduler, decoding: Decoding) -> None:
    """Answers what is typed, each line on its own, for the model saw no conversations; an interrupt ends an answer."""
    sys.stdout.write(f"{revision.name} at {revision.fingerprint}. /quit ends, Ctrl-C stops an answer.\n")
    while True:
        try:
            line = input(PROMPT_MARK).strip()
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return
        if line in FAREWELLS:
            return
        if line:
            answer, cut = _ask(scheduler, {"instruction": line, "input": ""}, decoding)
            try:
                _stream(answer, cut)
            except KeyboardInterrupt:
                answer.cancel()
                sys.stdout.write("\n")


def _rows(lines: TextIO, input_text: str) -> Iterator[dict[str, str]]:
    """Yields a question for each line that is not blank: its text, or a JSON object with instruction and input."""
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text.startswith("{"):
            yield _row(text, number)
        elif text:
            yield {"instruction": text, "input": input_text}


def _row(text: str, number: int) -> dict[str, str]:
    try:
        content = json.loads(text)
        return {"instruction": str(content["instruction"]), "input": str(content.get("input", ""))}
    except (ValueError, KeyError) as error:
        raise SettingsError(
            f"A line that begins with a brace is a JSON object with `instruction`. Received: another one in line "
            f"{number}. Correct it."
        ) from error


def _decoding(options: argparse.Namespace, model: Model) -> Decoding:
    return decoding_for(
        model.format,
        seed=options.seed,
        stop=options.stop,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_k=options.top_k,
        top_p=options.top_p,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serving.generate",
        description="Answer a prompt, each line of standard input, or, at a terminal, what is typed.",
    )
    add = parser.add_argument
    add("instruction", nargs="?", help="the question (default: lines of standard input, or a chat)")
    add("--input", default="", help="text that the instruction is about")
    add("--model", help=MODEL_HELP)
    add_source_flags(parser)
    add("--max-new-tokens", type=int, help="longest answer in tokens (the model's default, as in what follows)")
    add("--temperature", type=float, help="0 takes the likeliest token")
    add("--top-k", type=int, help="sample from so many likeliest tokens; 0 for all")
    add("--top-p", type=float, help="sample from the likeliest tokens with this share of the probability")
    add("--seed", type=int, help="the same seed gives the same answer")
    add("--stop", action="append", default=[], help="text before which an answer ends; may be given several times")
    add("--json", action="store_true", help="print one JSON object per answer")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
