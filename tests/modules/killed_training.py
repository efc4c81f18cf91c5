"""A training that is killed after its fifth step: ``python -m tests.modules.killed_training FOLDER``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from modules.models.gpt2.tokenizer import train_tokenizer
from modules.training.callbacks.callback_list import Action
from tests.modules.conftest import TEXTS
from tests.modules.fitting import Fit


def kill(step: int) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


if __name__ == "__main__":
    tokenizer = train_tokenizer(TEXTS * 3, vocabulary_size=300)
    Fit(tokenizer, Path(sys.argv[1]), dropout=0.3).run(actions=[Action(lambda step: step == 5, kill)])
