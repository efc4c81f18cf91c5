"""A training callback: writes the loss of every step into a file that a spreadsheet can read."""

import csv
import os
from pathlib import Path
from typing import Any

import keras

FILE_VARIABLE = "LOSS_FILE"


class LossFile(keras.callbacks.Callback):
    """Writes the file that the environment variable LOSS_FILE names, output/losses.csv without it."""

    async_safe = True  # it may be called some steps later, so that it does not hold up an accelerator

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.rows.append((logs["step"], logs["loss"]))

    def on_train_end(self, logs: Any = None) -> None:
        path = Path(os.environ.get(FILE_VARIABLE, "output/losses.csv"))
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("step", "loss"), *self.rows])
