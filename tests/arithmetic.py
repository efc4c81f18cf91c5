"""Runs the tests that depend on arithmetic under every matrix library, instruction set and number of threads.

    python -m tests.arithmetic [PYTEST ARGUMENTS]

These tests carry the marker ``arithmetic``. Each line is one run of all of them, in a process of its own, since a
process chooses its arithmetic once. What a processor has not (AVX-512, VNNI) no variable brings: where the machine's
own choice matters, run this on each kind of machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

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


def main(arguments: Sequence[str]) -> int:
    """Prints a line per arithmetic; returns 1 if a test failed under any."""
    failed = [arithmetic for arithmetic in ARITHMETICS if run(arithmetic, arguments) != 0]
    print(f"{len(ARITHMETICS) - len(failed)} passed, {len(failed)} failed")  # noqa: T201 - this command's product
    return 1 if failed else 0


def run(arithmetic: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Runs the tests under one arithmetic and returns pytest's exit status."""
    words = " ".join(f"{name}={value}" for name, value in arithmetic.items())
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-m", "arithmetic", *arguments]
    status = subprocess.run(command, env=os.environ | arithmetic, check=False).returncode
    print(f"{words}: status {status}, {time.monotonic() - started:.0f} s", flush=True)  # noqa: T201
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
