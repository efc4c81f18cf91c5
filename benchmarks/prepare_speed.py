"""Time and memory of `python -m data.prepare`, against the same steps with `datasets` and a MinHash library.

    python -m benchmarks.prepare_speed --data ROWS.json.xz --tokenizer FOLDER --reference reference/bin/python
    python -m benchmarks.prepare_speed --data ROWS.json.xz --made 100000 1000000

The first form runs each side in turn, in processes of its own. The second makes so many short rows of the first ones of
the data, a third of them perturbed copies, and prepares each size. `benchmarks/prepare_reference.py` says what the
reference is and needs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from data.rows import read_rows

PROJECT = Path(__file__).parents[1]


class Measured(NamedTuple):
    """A process that has run: seconds on the clock, seconds of processors, and the largest process' memory, MB."""

    seconds: float
    processor_seconds: float
    peak_mb: float
    output: str


def measured(command: Sequence[str]) -> Measured:
    """Runs a command and returns what it took; RuntimeError if it fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=PROJECT, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{command[:4]} failed with {process.returncode}")
        output.seek(0)
        return Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output.read())


def make_rows(path: Path, source: str, count: int) -> None:
    """Writes `count` short rows as JSON lines: marked copies of the first of the source, a third of them perturbed."""
    chooser = random.Random(count)
    short = [row for row in read_rows(source) if 0 < len(row.output) < 120 and row.instruction][:5000]
    with path.open("w", encoding="utf-8") as file:
        row, case = short[0], 0
        for number in range(count):
            is_copy = number % 3 == 2  # of the row before
            row, case = (row, case) if is_copy else (chooser.choice(short), number)
            asked = f"Please {row.instruction.lower()} case {case}" if is_copy else f"{row.instruction} Case {case}."
            record = {"instruction": asked, "input": row.input, "output": row.output}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def prepare(data: str, out: Path, *flags: str) -> Measured:
    """Prepares rows in a process of its own."""
    return measured([sys.executable, "-m", "data.prepare", data, "--out", str(out), *flags])


def line(name: str, found: Measured) -> str:
    """Returns a row of the table."""
    return f"| {name} | {found.seconds:.1f} | {found.processor_seconds:.1f} | {found.peak_mb:,.0f} |\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="Alpaca's rows: a JSON list, .xz")
    parser.add_argument("--tokenizer", help="folder with GPT-2's vocab.json and merges.txt")
    parser.add_argument("--reference", help="Python of the environment that the reference needs")
    parser.add_argument("--library", nargs="+", default=["datasketch", "rensa"])
    parser.add_argument("--made", type=int, nargs="+", default=[], help="numbers of rows to make and prepare")
    arguments = parser.parse_args()
    write = sys.stdout.write
    write("| what | seconds | processor seconds | peak MB |\n| --- | --- | --- | --- |\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.reference:
            tokenizer = ("--tokenizer", arguments.tokenizer)
            found = prepare(arguments.data, folder / "out", *tokenizer)
            write(line("data.prepare", found))
            told = [found.output]
            script = ["-m", "benchmarks.prepare_reference", "--data", arguments.data, *tokenizer]
            for library in arguments.library:
                out = str(folder / library)
                found = measured([arguments.reference, *script, "--out", out, "--library", library])
                write(line(f"datasets, {library}", found))
                told.append(found.output)
            write("\n" + "\n".join(told))
        for count in arguments.made:
            rows = folder / f"{count}.jsonl"
            make_rows(rows, arguments.data, count)
            found = prepare(str(rows), folder / f"out-{count}")
            write(line(f"{count:,} rows, {rows.stat().st_size / 1e6:,.0f} MB", found))
            write("\n" + found.output + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
