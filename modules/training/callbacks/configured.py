"""The callbacks that the settings ask for."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras

from modules.settings.run import RunSettings
from modules.training.callback_names import load_callbacks
from modules.training.callbacks.progress import TrainingProgress
from modules.training.callbacks.samples import SampleLog, Sampler
from modules.training.callbacks.tensorboard import TensorBoardLog
from modules.training.splits import TrainingData

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer


@contextlib.contextmanager
def configured_callbacks(
    backbone: Backbone,
    tokenizer: Tokenizer,
    data: TrainingData,
    settings: RunSettings,
    *,
    total_steps: int,
    schedule: Callable[[int], Any],
    log_dir: str,
) -> Iterator[list[keras.callbacks.Callback]]:
    """Yields progress on the terminal, curves and samples for TensorBoard, and the callbacks that are given by name.

    What they have open is closed at the end, whatever it is.

    Args:
        backbone: to train.
        tokenizer: its tokenizer, for samples.
        data: what is trained and evaluated on.
        settings: of the run.
        total_steps: optimizer steps of the run.
        schedule: learning rate of an optimizer step, from 0.
        log_dir: for TensorBoard's files.

    Raises:
        CallbackError: If a callback that was named cannot be used.
    """
    training, report = settings.training, data.batches.report()
    given = load_callbacks(training.callbacks)
    log = TensorBoardLog(
        log_dir,
        learning_rate=lambda step: float(schedule(step)),
        tokens_per_supervised=report.tokens / report.supervised_tokens,
        every_steps=training.log_every_steps,
    )
    log.write_data("train", report.as_dict())
    log.write_data("eval", data.eval_batches.report().as_dict())
    progress = TrainingProgress(total_steps=total_steps, evaluation_batches=len(data.eval_batches))
    with contextlib.closing(log), contextlib.closing(progress):
        yield [progress, log, *_samples(backbone, tokenizer, data, settings, log), *given]


def _samples(
    backbone: Backbone, tokenizer: Tokenizer, data: TrainingData, settings: RunSettings, log: TensorBoardLog
) -> list[SampleLog]:
    """Returns what answers a few evenly spaced evaluation prompts now and then, if that is asked for."""
    every_steps, rows = settings.training.sample_every_steps, settings.training.sample_rows
    if not every_steps:
        return []
    prompts = data.eval_prompts[:: max(len(data.eval_prompts) // rows, 1)][:rows]
    sampler = Sampler(backbone, tokenizer, prompts, max_new_tokens=settings.generation.max_new_tokens)
    return [SampleLog(sampler, every_steps=every_steps, write=log.write_samples)]
