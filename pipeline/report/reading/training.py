"""Reads the facts about the training: the Trainer's record and its TensorBoard events."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.training_record import TrainingRecord
from pipeline.report.facts import Curve, TrainingFacts
from pipeline.report.reading.files import RunFiles

Series = list[tuple[float, float]]
EPOCH, BATCH = "epoch_", "batch_"
LOSS_NAMES = {"train": "training loss", "validation": "evaluation loss", "eval": "evaluation loss"}


def read_training(files: RunFiles) -> TrainingFacts | None:
    """Returns the facts; None if the run did not come to training, or nothing of it is left."""
    record = files.record(TrainingRecord, "Trainer", "model", "exports")
    folder = files.folder("Trainer", "model_run")
    series = read_events(files, folder) if folder else {}
    if record is None and not series:
        return None
    steps = record.steps if record else None
    return TrainingFacts(
        record=record,
        loss=tuple(_curves(series, "loss", steps)),
        learning_rate=tuple(_curves(series, "learning_rate", steps)),
    )


def read_events(files: RunFiles, folder: Path) -> dict[str, Series]:
    """Returns all scalars below `folder` by "<subfolder>/<tag>", in the order they were written."""
    series: dict[str, Series] = defaultdict(list)
    for path in sorted(folder.rglob("*tfevents*")):
        subfolder = path.parent.name if path.parent != folder else ""
        for tag, step, value in _scalars(files, path):
            if math.isfinite(value):
                series[f"{subfolder}/{tag}"].append((step, value))
    return dict(series)


def _scalars(files: RunFiles, path: Path) -> Iterator[tuple[str, int, float]]:
    # TensorBoard's own reader without TensorFlow, whose import would take longer than the whole report.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.tensorflow_stub.errors import DataLossError, OutOfRangeError
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New

    reader = PyRecordReader_New(str(path))
    while True:
        try:
            reader.GetNext()
        except OutOfRangeError:
            return
        except DataLossError as error:
            files.note(f"{path} is cut: {error}")
            return
        event = Event.FromString(reader.record())
        for value in event.summary.value:
            scalar = _scalar(value)
            if scalar is not None:
                yield value.tag, event.step, scalar


def _scalar(value: Any) -> float | None:
    """Returns the number that a summary's value is; None if it is a text, or more than one number."""
    from tensorboard.util.tensor_util import make_ndarray

    if value.HasField("simple_value"):
        return float(value.simple_value)
    if value.tensor.tensor_shape.dim or not value.HasField("tensor"):
        return None
    array = make_ndarray(value.tensor)
    return float(array) if array.dtype.kind == "f" else None


def _curves(series: dict[str, Series], quantity: str, steps: int | None) -> Iterator[Curve]:
    """Yields the series about `quantity`, over optimizer steps.

    Keras numbers epochs, and not one by one: their points are spread evenly over the steps.
    """
    last_step = steps or max((step for points in series.values() for step, _ in points), default=1)
    for key in sorted(series):
        folder, _, tag = key.partition("/")
        if not tag.removeprefix(EPOCH).removeprefix(BATCH).endswith(quantity):
            continue
        points = series[key]
        if tag.startswith(EPOCH):
            points = [(last_step * (index + 1) / len(points), value) for index, (_, value) in enumerate(points)]
        yield Curve(_name(folder, tag, quantity), tuple((float(step), value) for step, value in points))


def _name(folder: str, tag: str, quantity: str) -> str:
    if quantity != "loss":
        return "learning rate"
    name = LOSS_NAMES.get(folder, "loss")
    if tag.startswith(EPOCH):
        return f"{name}, mean of each epoch"
    return f"{name}, mean since its epoch began" if tag.startswith(BATCH) else name
