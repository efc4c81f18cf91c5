"""Loads this project's server, CTranslate2 called for one answer at a time, and Transformers' own server with many
clients at once: the wait of each for its first token, and the tokens that all of them get.

    python -m benchmarks.serving_load REVISION_FOLDER --data ROWS --transformers .venv-rival/bin/transformers

`benchmarks.random_revision` writes such a folder. Every side has the same prompts and speaks the same protocol; each
client asks again when its answer has come.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.space_load import free_port
from data.rows import read_rows
from serving.answering.model import ModelFiles
from serving.settings import usable_cores

SIDES = ("serving", "one-at-a-time", "transformers")
START_SECONDS = 180.0
STATIC_BATCH = 8
PROMPT_CHARACTERS = 400
COLUMNS = (
    "side", "clients", "answers", "first token, median s", "slowest s", "tokens/s", "processor ms per token", "MB",
    "other statuses",
)  # fmt: skip
HEADING = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Load:
    """Counts and times that the clients of one side saw."""

    first_seconds: list[float] = field(default_factory=list)
    tokens: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0
    processor_seconds: float = 0.0
    megabytes: tuple[int, int] = (0, 0)  # resident before and after

    def row(self, side: str, clients: int) -> str:
        """Returns a row of the table."""
        others = {status: count for status, count in self.statuses.items() if status != 200}
        first = self.first_seconds or [float("nan")]
        return (
            f"| {side} | {clients} | {self.statuses[200]} | {statistics.median(first):.2f} | {max(first):.2f} | "
            f"{self.tokens / self.seconds:.1f} | {1000 * self.processor_seconds / max(1, self.tokens):.1f} | "
            f"{self.megabytes[0]} → {self.megabytes[1]} | {others or 'none'} |\n"
        )


def main(arguments: Sequence[str]) -> int:
    """Prints one table."""
    options = _parse(arguments)
    rows = [row for row in read_rows(options.data) if len(row.instruction) + len(row.input) < PROMPT_CHARACTERS]
    random.Random(options.seed).shuffle(rows)
    prompts = [f"{row.instruction}\n\n{row.input}".strip() for row in rows[:512]]
    write = sys.stdout.write
    write(f"static batch of {STATIC_BATCH}: {static_batch(options, prompts):.1f} tokens/s\n")
    write(HEADING)
    for clients in options.clients:
        for side in options.sides:
            write(measure(side, options, prompts, clients=clients).row(side, clients))
            sys.stdout.flush()
    write(f"static batch of {STATIC_BATCH}: {static_batch(options, prompts):.1f} tokens/s\n")
    return 0


def measure(side: str, options: argparse.Namespace, prompts: Sequence[str], *, clients: int) -> Load:
    """Runs a side and loads it."""
    # Transformers' server knows its model by the path, ours by the folder's name.
    model = str(options.folder) if side == "transformers" else options.folder.resolve().name
    with running(side, options) as (url, pid):
        asyncio.run(load(url, prompts[:1], model=model, clients=1, seconds=0.0, tokens=4))  # warm
        megabytes, processor = resident_megabytes(pid), _processor_seconds(pid)
        found = asyncio.run(
            load(url, prompts, model=model, clients=clients, seconds=options.seconds, tokens=options.tokens)
        )
        found.processor_seconds = _processor_seconds(pid) - processor
        found.megabytes = (megabytes, resident_megabytes(pid))
    return found


async def load(url: str, prompts: Sequence[str], *, model: str, clients: int, seconds: float, tokens: int) -> Load:
    """Has clients ask, each again after its answer, until the time is over; answers that have begun are waited for."""
    found, began = Load(), time.monotonic()
    limits = httpx.Limits(max_connections=clients)
    async with httpx.AsyncClient(timeout=600, limits=limits, trust_env=False) as client:

        async def visit(number: int) -> None:
            chosen = random.Random(number)
            while True:
                await _ask(client, url, chosen.choice(prompts), found, model=model, tokens=tokens)
                if time.monotonic() - began > seconds:
                    return

        await asyncio.gather(*(visit(number) for number in range(clients)))
    found.seconds = time.monotonic() - began
    return found


async def _ask(client: httpx.AsyncClient, url: str, prompt: str, found: Load, *, model: str, tokens: int) -> None:
    messages = [{"role": "user", "content": prompt}]
    body = {"model": model, "messages": messages, "max_tokens": tokens, "stream": True, "temperature": 0.0,
            "stream_options": {"include_usage": True}}  # fmt: skip
    sent, first, tokens_told = time.monotonic(), 0.0, 0
    async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        found.statuses[answer.status_code] += 1
        if answer.status_code != 200:
            await answer.aread()
            await asyncio.sleep(float(answer.headers.get("retry-after", 1)))
            return
        parts = 0
        async for line in answer.aiter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
            if _has_text(event):
                first = first or time.monotonic() - sent
                parts += 1
            tokens_told = (event.get("usage") or {}).get("completion_tokens", tokens_told)
    found.tokens += tokens_told or parts  # a part may be more than a token, where a character is made of several
    if first:
        found.first_seconds.append(first)


def _has_text(event: dict[str, Any]) -> bool:
    choices = event.get("choices") or [{}]
    return bool(choices[0].get("delta", {}).get("content"))


@contextmanager
def running(side: str, options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Runs a side's server; yields its address and its process' number."""
    port = free_port()
    commands = {
        "serving": [sys.executable, "-m", "serving", str(options.folder), "--port", str(port),
                    "--answers-at-once", "1000", *options.serving_flags.split()],
        "one-at-a-time": [sys.executable, "-m", "benchmarks.one_at_a_time", str(options.folder), str(port)],
        "transformers": [str(options.transformers), "serve", str(options.folder), "--port", str(port),
                         "--device", "cpu"],
    }  # fmt: skip
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(commands[side], stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_up(url, "/ready" if side == "serving" else "/health", process)
            yield url, process.pid
        finally:
            process.kill()
            process.wait()


def _wait_until_up(url: str, path: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}{path}", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"A side must answer within {START_SECONDS:.0f} s. Received: {url}, silent or ended.")


def static_batch(options: argparse.Namespace, prompts: Sequence[str]) -> float:
    """Returns the tokens per second of batches of one size whose answers are all of one length."""
    import ctranslate2
    from tokenizers import Tokenizer

    from serving.answering.prompt import PromptFormat

    files = ModelFiles.find(options.folder)
    prompt_format, tokenizer = PromptFormat.read(files.prompt), Tokenizer.from_file(str(files.tokenizer))
    generator = ctranslate2.Generator(str(files.generator), intra_threads=usable_cores())
    batch = [tokenizer.encode(prompt_format.prompt(prompt)).tokens for prompt in prompts[:STATIC_BATCH]]
    began, turns = time.monotonic(), 0
    while time.monotonic() - began < options.seconds / 2 or not turns:
        generator.generate_batch(batch, max_length=options.tokens, sampling_topk=1, include_prompt_in_result=False)
        turns += 1
    return turns * STATIC_BATCH * options.tokens / (time.monotonic() - began)


def _processor_seconds(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / TICKS_PER_SECOND


def resident_megabytes(pid: int) -> int:
    """Returns the memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) // 1024


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_load", description=__doc__)
    add = parser.add_argument
    add("folder", type=Path, help="a revision with its CTranslate2 and Transformers forms")
    add("--data", type=Path, required=True, help="Alpaca rows for the prompts: .json or .jsonl, also compressed")
    add(
        "--transformers",
        type=Path,
        help="command `transformers` of an environment with transformers[serving] and torch",
    )
    add("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    add("--clients", nargs="+", type=int, default=[1, 4, 16, 64])
    add("--seconds", type=float, default=30.0, help="in which clients begin to ask, for each row of the table (30)")
    add("--tokens", type=int, default=64, help="length of an answer (64)")
    add("--serving-flags", default="", help="further flags of `python -m serving`")
    add("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if "transformers" in options.sides and options.transformers is None:
        parser.error("--transformers is needed, or leave that side out with --sides")
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
