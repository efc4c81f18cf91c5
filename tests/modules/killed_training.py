"""A training that is killed after its fifth step: ``python -m tests.modules.killed_training FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from modules.models.gpt2.tokenizer import train_tokenizer
from tests.modules.conftest import TEXTS
from tests.modules.tiny_training import At, Fit


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    tokenizer = train_tokenizer(TEXTS * 3, vocabulary_size=300)
    Fit(tokenizer, Path(sys.argv[1]), dropout=0.3).run(callbacks=[At(5, kill)])
