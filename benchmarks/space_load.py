"""Many visitors of the published Space at once: how long each waits for the first word, and how fast words come.

    python -m benchmarks.space_load --storage-dir output/hub --visitors 16 --questions 3

The Space runs from the local Hub as `make demo` runs it; visitors speak Gradio's own protocol, each from an address of
their own as far as the Space can tell.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub import demo

INSTRUCTION = "What is the capital of France?"
SECONDS_AT_MOST = 600.0


@dataclass(frozen=True)
class Answered:
    """One question of one visitor."""

    visitor: int
    first_seconds: float  # from sending to the first word
    seconds: float  # from sending to the end
    states: int  # how often the answer grew: about the number of its tokens
    text: str

    @property
    def tokens_per_second(self) -> float:
        """Returns the tokens per second after the first token; 0 for an answer of one."""
        later = self.seconds - self.first_seconds
        return (self.states - 1) / later if later > 0 else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    os.environ.update(demo.direct_loopback_environment(os.environ) | demo.QUIET_CLIENT)
    with tempfile.TemporaryDirectory() as folder:
        served = demo.Options(
            storage_dir=options.storage_dir,
            port=options.port,
            demo_port=free_port(),
            space_repo_id=options.space_repo_id,
            work_dir=Path(folder),
        )
        started = time.monotonic()
        with demo.serving(served) as (address, _):
            sys.stdout.write(f"the page is up after {time.monotonic() - started:.1f} s\n")
            for visitors in (1, options.visitors):
                answers = visit(
                    address, visitors=visitors, questions=options.questions, max_new_tokens=options.max_new_tokens
                )
                sys.stdout.write(report(answers, visitors=visitors))
    return 0


def visit(address: str, *, visitors: int, questions: int, max_new_tokens: int) -> list[Answered]:
    """Has all visitors ask at the same moment, each question after the answer to the one before."""
    from gradio_client import Client  # type: ignore[import-untyped]

    clients = [
        Client(address, headers={"X-Forwarded-For": f"10.0.{number // 250}.{number % 250 + 1}"}, verbose=False)
        for number in range(visitors)
    ]
    answers: list[Answered] = []
    together = threading.Barrier(visitors)

    def ask(number: int) -> None:
        together.wait()
        for _ in range(questions):
            answers.append(_ask(clients[number], number, max_new_tokens))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(visitors)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_AT_MOST)
    if len(answers) != visitors * questions:
        raise RuntimeError(
            f"Every question must be answered. Received: {len(answers)} answers to {visitors * questions} questions."
        )
    return answers


def report(answers: Sequence[Answered], *, visitors: int) -> str:
    """Returns the figures in a few lines."""
    firsts, speeds = [answer.first_seconds for answer in answers], [answer.tokens_per_second for answer in answers]
    span = max(answer.seconds for answer in answers)
    return (
        f"{visitors} visitors, {len(answers)} answers of {statistics.mean(a.states for a in answers):.0f} tokens: "
        f"first token after {statistics.median(firsts):.2f} s (median), {max(firsts):.2f} s (slowest); "
        f"then {statistics.median(speeds):.0f} tokens/s (median); slowest answer {span:.2f} s\n"
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return int(probe.getsockname()[1])


def _ask(client: Any, number: int, max_new_tokens: int) -> Answered:
    sent = time.monotonic()
    job: Any = client.submit(INSTRUCTION, max_new_tokens=max_new_tokens, temperature=0, api_name="/answer")
    first, states, text = 0.0, 0, ""
    for state in job:
        first = first or time.monotonic() - sent
        states, text = states + 1, str(state)
    return Answered(number, first, time.monotonic() - sent, states, text)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.space_load", description="Load the published Space.")
    add = parser.add_argument
    add("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the local Hub (output/hub)")
    add("--port", type=int, help="port of the local Hub (8642, or a free one where that is taken)")
    add("--space-repo-id", help="Space to run (the only one there is)")
    add("--visitors", type=int, default=16, help="visitors at once (16)")
    add("--questions", type=int, default=3, help="questions of each, one after the other (3)")
    add("--max-new-tokens", type=int, default=64, help="length of an answer in tokens (64)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
