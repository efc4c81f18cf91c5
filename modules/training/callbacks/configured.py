"""From the configuration's settings to a training run: optimizer, schedule, checkpoints, curves and samples."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras

from modules.network.model import training_model
from modules.settings.training import TrainingSettings
from modules.training import fit as training
from modules.training.callbacks.callback_list import Action
from modules.training.callbacks.checkpoint import CheckpointPlan, Followers
from modules.training.callbacks.evaluation import EvaluationPlan
from modules.training.callbacks.progress import TrainingProgress
from modules.training.callbacks.samples import Sampler, log_samples
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

# Settings that change what is written about a training, but not the training itself.
WITHOUT_EFFECT = {"log_every_steps", "checkpoint_every_steps", "checkpoint_dir", "keep_checkpoints",
                  "sample_every_steps", "sample_rows", "exact_answer_rows"}  # fmt: skip


class TrainingData(NamedTuple):
    """What is trained and evaluated on.

    Attributes:
        batches: of the training split.
        eval_batches: of the evaluation split.
        prompts: the training split's, as they were given to make the batches.
        eval_prompts: the evaluation split's.
    """

    batches: PackedBatches
    eval_batches: PackedBatches
    prompts: Sequence[str]
    eval_prompts: Sequence[str]


def run_training(
    backbone: GPT2Backbone,
    tokenizer: Tokenizer,
    data: TrainingData,
    options: TrainingSettings,
    *,
    log_dir: str,
    checkpoints: CheckpointFolder | None,
    max_new_tokens: int,
) -> training.TrainingResult:
    """Fits the backbone in place.

    Args:
        backbone: to train.
        tokenizer: its tokenizer, for samples.
        data: what to train on.
        options: how to train.
        log_dir: for TensorBoard's files.
        checkpoints: None for none.
        max_new_tokens: of a sample.
    """
    steps_per_epoch = data.batches.steps
    total_steps, _ = training.plan_steps(
        steps_per_epoch=steps_per_epoch, epochs=options.epochs, max_steps=options.max_steps
    )
    schedule = training.make_schedule(
        learning_rate=options.learning_rate, total_steps=total_steps, warmup_fraction=options.warmup_fraction
    )
    optimizer = training.make_optimizer(
        schedule,
        weight_decay=options.weight_decay,
        clip_norm=options.clip_norm,
        accumulation_steps=options.accumulation_steps,
        precision=options.precision,
    )
    model = training_model(backbone, sequence_length=options.sequence_length, remat=options.remat)
    sampler = _sampler(backbone, tokenizer, data, options, max_new_tokens=max_new_tokens)
    with _followers(data, options, schedule, sampler, total_steps=total_steps, log_dir=log_dir) as followers:
        return training.fit(
            model,
            data.batches,
            data.eval_batches,
            optimizer=optimizer,
            total_steps=total_steps,
            evaluation=evaluation_plan(options, steps_per_epoch=steps_per_epoch),
            checkpoints=CheckpointPlan(checkpoints, options.checkpoint_every_steps) if checkpoints else None,
            followers=followers,
            describe_row=data.prompts.__getitem__,
        )


def evaluation_plan(options: TrainingSettings, *, steps_per_epoch: int) -> EvaluationPlan:
    """When to evaluate, and what follows."""
    every = [options.evaluate_every_steps, steps_per_epoch if options.evaluate_every_epoch else 0]
    return EvaluationPlan(
        every_steps=tuple(steps for steps in every if steps),
        patience=options.early_stopping_patience,
        min_delta=options.early_stopping_min_delta,
        keep=options.keep_weights,
    )


def checkpoint_folder(
    root: str | None,
    options: TrainingSettings,
    *,
    batches: PackedBatches,
    facts: Mapping[str, Any],
    run_id: str | None = None,
) -> CheckpointFolder | None:
    """The folder of this training's checkpoints; None if it has none.

    Args:
        root: folder of all trainings' checkpoints; None for none.
        options: how to train.
        batches: of the training split.
        facts: plain JSON; whatever else the weights depend on, such as the model's sizes and the code.
        run_id: of the run that trains.
    """
    if root is None or not options.checkpoint_every_steps:
        return None
    effective = options.model_dump(mode="json", exclude=WITHOUT_EFFECT)
    identity = [effective, facts, batches.fingerprint(), keras.backend.backend(), keras.__version__]
    fingerprint = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = CheckpointFolder(Path(root), fingerprint=fingerprint, keep=options.keep_checkpoints, run_id=run_id)
    others = folder.others()
    if others:
        logger.warning(
            "%s holds checkpoints of %d other trainings, which take %s MB. "
            "Delete those that will not be resumed with their settings: %s",
            root, len(others), f"{sum(others.values()) / 1e6:,.1f}", ", ".join(path.name for path in others),
        )  # fmt: skip
    return folder


def _sampler(
    backbone: GPT2Backbone, tokenizer: Tokenizer, data: TrainingData, options: TrainingSettings, *, max_new_tokens: int
) -> Sampler | None:
    """Answers a few evenly spaced evaluation prompts; None if no samples are wanted."""
    if not options.sample_every_steps:
        return None
    rows = options.sample_rows
    prompts = data.eval_prompts[:: max(len(data.eval_prompts) // rows, 1)][:rows]
    return Sampler(backbone, tokenizer, prompts, max_new_tokens=max_new_tokens)


@contextlib.contextmanager
def _followers(
    data: TrainingData,
    options: TrainingSettings,
    schedule: Any,
    sampler: Sampler | None,
    *,
    total_steps: int,
    log_dir: str,
) -> Iterator[Followers]:
    """Progress on the terminal, curves and samples for TensorBoard; closed at the end, whatever it is."""
    from modules.training.callbacks.tensorboard import RunLog

    report = data.batches.report()
    progress = TrainingProgress(total_steps=total_steps)
    log = RunLog(
        log_dir,
        learning_rate=lambda step: float(schedule(step)),
        tokens_per_supervised=report.tokens / report.supervised_tokens,
        every_steps=options.log_every_steps,
    )

    def begin(step: int, scalars: Any) -> None:
        log.data("train", report.as_dict())
        log.data("eval", data.eval_batches.report().as_dict())
        log.replay(scalars or ())
        progress.begin(step)

    def evaluated(step: int, loss: float, token_accuracy: float) -> None:
        log.evaluated(step, loss, token_accuracy)
        progress.evaluated(step, loss, token_accuracy)

    sampling = log_samples(sampler, every_steps=options.sample_every_steps, write=log.samples) if sampler else None
    try:
        yield Followers(
            readers=[progress.read, log.read],
            actions=[Action(*sampling)] if sampling else [],
            evaluated=evaluated,
            evaluating=progress.evaluating,
            remember=lambda: log.scalars,
            begin=begin,
            read_every=options.log_every_steps,
        )
    finally:
        progress.close()
        log.close()
