"""Runs the tests that depend on arithmetic under every matrix library, instruction set and number of threads.

    python -m tests.arithmetic [PYTEST ARGUMENTS]

These tests carry the marker ``arithmetic``. Each line is one run of all of them, in a process of its own, since a
process chooses its arithmetic once. What a processor has not (AVX-512, VNNI) no variable brings: where the machine's
own choice matters, run this on each kind of machine.

At the end stand the tolerances of which the largest share was used: where a tolerance gives no other source, it is
several times what was found under all of these, and this is where that is looked at again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
# What is set, of CTranslate2, oneDNN (in it and in TensorFlow), TensorFlow and threads.
ARITHMETICS: tuple[Mapping[str, str], ...] = (
    {"CT2_USE_MKL": "0"},
    {"CT2_USE_MKL": "1"},
    {"CT2_FORCE_CPU_ISA": "AVX2"},
    {"CT2_FORCE_CPU_ISA": "GENERIC"},
    {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    {"TF_ENABLE_ONEDNN_OPTS": "0"},
    dict.fromkeys(THREADS, "1"),
    dict.fromkeys(THREADS, "2"),
)
TIGHTEST = 15  # tolerances to print


def main(arguments: Sequence[str]) -> int:
    """Prints a line per arithmetic and the tightest tolerances; returns 1 if a test failed under any."""
    used: dict[str, float] = {}
    failed = 0
    for arithmetic in ARITHMETICS:
        with tempfile.TemporaryDirectory() as folder:
            margins = Path(folder, "margins.jsonl")
            failed += run(arithmetic, arguments, margins) != 0
            for place, share in map(json.loads, margins.read_text(encoding="utf-8").splitlines()):
                used[place] = max(used.get(place, 0.0), share)
    tell(f"\nTolerances of which most was used under any of them, of {len(used)}:")
    for place in sorted(used, key=lambda place: -used[place])[:TIGHTEST]:
        tell(f"{used[place]:6.1%}  {place}")
    tell(f"{len(ARITHMETICS) - failed} passed, {failed} failed")
    return 1 if failed else 0


def run(arithmetic: Mapping[str, str], arguments: Sequence[str], margins: Path) -> int:
    """Runs the tests under one arithmetic and returns pytest's exit status; `margins` gets what was compared."""
    words = " ".join(f"{name}={value}" for name, value in arithmetic.items())
    started = time.monotonic()
    margins.touch()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.margins", "-m", "arithmetic", *arguments]
    environment = os.environ | arithmetic | {"MARGINS_FILE": str(margins)}
    status = subprocess.run(command, env=environment, check=False).returncode
    tell(f"{words}: status {status}, {time.monotonic() - started:.0f} s")
    return status


def tell(line: str) -> None:
    """Prints a line of this command's product."""
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
