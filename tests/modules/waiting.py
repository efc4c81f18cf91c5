"""A task of a fresh process: tells its process id, then waits."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from modules.processes import serve


def tell_and_wait(task: dict[str, Any]) -> dict[str, Any]:
    Path(task["told"]).write_text(str(os.getpid()))
    time.sleep(600)
    return {}


if __name__ == "__main__":
    serve(sys.argv[1:], tell_and_wait, task_type=dict)
