from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.publishing.fault_case import FAULTS

ROOT = Path(__file__).parents[2]


def test_whatever_fails_at_whichever_request_nothing_half_done_is_seen_and_the_next_run_finishes() -> None:
    """The bounded form; `make fault-matrix` runs every fault at every request."""
    command = [sys.executable, "-m", "tests.publishing.fault_matrix", "--bounded"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    *_, summary = result.stdout.splitlines()
    counts = re.fullmatch(r"(\d+) cases \((\d+) requests\), (\d+) whole, \d+ s", summary)
    assert counts is not None, result.stdout
    cases, requests, whole = map(int, counts.groups())
    assert cases == whole == requests
    assert requests > 50
    assert all(re.search(rf"^{fault} +[1-9]", result.stdout, re.MULTILINE) for fault in FAULTS)
