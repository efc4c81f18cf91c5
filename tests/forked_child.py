"""A child process of tests/test_fork_server.py: ``python -m tests.forked_child WAY``."""

from __future__ import annotations

import os
import signal
import sys
import time


def main(way: str) -> int:
    sys.stdout.write(f"{os.getpid()} {'tensorflow' in sys.modules} {sys.stdin.read()}\n")
    sys.stdout.flush()
    if way == "has ctranslate2":
        sys.stdout.write(str("ctranslate2" in sys.modules))
    if way == "raises":
        raise ValueError("as asked")
    if way == "kills itself":
        os.kill(os.getpid(), signal.SIGKILL)
    if way == "waits":
        time.sleep(600)
    return 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
