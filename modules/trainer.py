"""Trainer's ``run_fn``: rows in, a model in every form that it is published in, out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from modules.exports import TrainedModel
from modules.exports.process import ExportTask, Questions, export_from_trainer, export_in_subprocess
from modules.models.attention import attention_of
from modules.models.families import find_family
from modules.models.lora import parameter_counts
from modules.models.training_model import training_model
from modules.processes import share_accelerators
from modules.prompts import find_format
from modules.provenance import provenance, run_id
from modules.settings.run import RunSettings, initial_model_folder, tuned_values, with_values
from modules.training.backend import train_in_subprocess
from modules.training.callbacks.configured import configured_callbacks
from modules.training.callbacks.evaluation import evaluation_plan
from modules.training.checkpoints import CheckpointFolder
from modules.training.dataset import PackedBatches
from modules.training.devices import shared_training
from modules.training.fit import CheckpointPlan, fit, plan_steps
from modules.training.identity import checkpoint_folder
from modules.training.model import make_model
from modules.training.optimizer import configured_optimizer, make_schedule
from modules.training.precision import tell_costly_precision
from modules.training.slots import Sharing
from modules.training.splits import TrainingData, first_words, make_data
from modules.training.task import RowTexts, Trained, TrainingTask
from modules.training_record import TrainingRecord

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

SAMPLES = 12
SIZES = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim", "max_sequence_length")


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports: settings, rows, training on the backend that is asked for, export, report.

    Args:
        fn_args: TFX's; ``custom_config`` holds :class:`RunSettings`.
    """
    from modules.rows import read_rows  # the one part that needs TensorFlow

    share_accelerators()
    tuned = tuned_values(fn_args.hyperparameters)
    settings = with_values(RunSettings.from_custom_config(fn_args.custom_config), tuned)
    rows, eval_rows = read_rows(fn_args.train_files), read_rows(fn_args.eval_files)
    task = training_task(fn_args, settings, rows, eval_rows)
    trained = train_in_subprocess(task)
    export = export_task(settings, eval_rows, fn_args.serving_model_dir)
    exported = export_in_subprocess(export)
    facts = {
        "kind": settings.data.kind,
        "tuned": tuned,
        "provenance": provenance(os.environ, run_folder=fn_args.model_run_dir, rows={"train": rows, "eval": eval_rows}),
    }
    TrainingRecord.model_validate(trained.report | facts | exported).write(export.artifact / "exports")
    clear_checkpoints(task, trained)


def training_task(fn_args: FnArgs, settings: RunSettings, rows: RowTexts, eval_rows: RowTexts) -> TrainingTask:
    """Returns what to train, and where what it leaves goes."""
    return TrainingTask(
        settings,
        rows,
        eval_rows,
        log_dir=fn_args.model_run_dir,
        serving_model_dir=fn_args.serving_model_dir,
        checkpoints=checkpoint_root(settings.checkpoints, fn_args.model_run_dir),
        run_id=run_id(os.environ, fn_args.model_run_dir),
        initial_model=initial_model_folder(fn_args.base_model),
    )


def checkpoint_root(folder: str | None, model_run_dir: str) -> str | None:
    """Returns the folder of all trainings' checkpoints; a relative `folder` starts at this run's own folder."""
    return folder and os.path.normpath(os.path.join(model_run_dir, folder))  # noqa: PTH118 - `..` before links


def train(task: TrainingTask) -> Trained:
    """Makes the model and the batches, trains, and writes the preset; needs no TensorFlow on another backend."""
    settings, training = task.settings, task.settings.training
    tell_costly_precision(training.precision)
    with shared_training(
        training.distribution,
        devices=training.devices,
        batch_size=training.batch_size,
        sharding=find_family(settings.model.family).sharding,
    ) as sharing:
        backbone, tokenizer, data = prepare(task, sharing)
        facts = model_facts(backbone, settings)
        folder = task_checkpoints(task, data.batches)
        per_epoch = data.batches.steps
        total_steps, _ = plan_steps(steps_per_epoch=per_epoch, epochs=training.epochs, max_steps=training.max_steps)
        schedule = make_schedule(
            learning_rate=training.learning_rate, total_steps=total_steps, warmup_fraction=training.warmup_fraction
        )
        with configured_callbacks(
            backbone, tokenizer, data, settings, total_steps=total_steps, schedule=schedule, log_dir=task.log_dir
        ) as callbacks:
            result = fit(
                training_model(backbone, sequence_length=training.sequence_length, remat=training.remat),
                data.batches,
                data.eval_batches,
                optimizer=configured_optimizer(training, schedule),
                total_steps=total_steps,
                evaluation=evaluation_plan(training, steps_per_epoch=per_epoch),
                checkpoints=CheckpointPlan(folder, training.checkpoint_every_steps) if folder else None,
                callbacks=callbacks,
                read_every=training.log_every_steps,
                describe_row=data.prompts.__getitem__,
            )
        del callbacks  # they hold the training model and its optimizer, which must be gone before the export
        if task.serving_model_dir is not None:
            save_model(backbone, tokenizer, settings, Path(task.serving_model_dir))
        report = {
            **facts,
            **result.as_dict(),
            "data": data.report(),
            "model": published_sizes(settings.published_model(), backbone),
            "training": settings.published_training(),
        }
    return Trained(report, folder.fingerprint if folder else None)


def prepare(task: TrainingTask, sharing: Sharing) -> tuple[Backbone, Tokenizer, TrainingData]:
    """Returns the model to train, its tokenizer, and what it is trained on."""
    settings = task.settings
    keras.utils.set_random_seed(settings.training.seed)
    texts = [*task.rows[0], *task.rows[1]]
    backbone, tokenizer = make_model(settings.model, settings.training, texts=texts, initial_model=task.initial_model)
    return backbone, tokenizer, make_data(task.rows, task.eval_rows, tokenizer, settings, sharing)


def model_facts(backbone: Backbone, settings: RunSettings) -> dict[str, Any]:
    """Returns how many parameters the model has and which attention it uses; tells the log, too."""
    counts, attention = parameter_counts(backbone), attention_of(backbone, settings.training.attention)
    logger.info("Of %(parameters)d parameters %(trainable_parameters)d are trained.", counts)
    logger.info("Attention: %s", attention)
    return {**counts, "attention": attention}


def task_checkpoints(task: TrainingTask, batches: PackedBatches) -> CheckpointFolder | None:
    """Returns the folder of the task's checkpoints, which no training with other weights shares; None for none."""
    facts = {
        "model": task.settings.published_model(),
        "initial_model": task.initial_model,
        "code": task.settings.fingerprint,
    }
    training = task.settings.training
    return checkpoint_folder(task.checkpoints, training, batches=batches, facts=facts, run_id=task.run_id)


def save_model(backbone: Backbone, tokenizer: Tokenizer, settings: RunSettings, serving_model_dir: Path) -> None:
    """Writes the preset from which everything else is exported, and the forms that only the trainer can write."""
    trained = TrainedModel(
        backbone,
        tokenizer,
        settings.generation,
        find_format(settings.data.prompt_format, kind=settings.data.kind),
        kind=settings.data.kind,
        preset=settings.model.preset,
    )
    export_from_trainer(trained, serving_model_dir.parent, settings.export)


def export_task(settings: RunSettings, eval_rows: RowTexts, serving_model_dir: str) -> ExportTask:
    """Returns what to export, and what to ask the exported model.

    That is a few evenly spaced evaluation rows for the card and the log, and those whose answers must be exact.
    """
    (prompts, expected), kind = eval_rows, settings.data.kind
    step, exact = max(len(prompts) // SAMPLES, 1), settings.training.exact_answer_rows
    samples = Questions(prompts[::step][:SAMPLES], expected[::step][:SAMPLES])
    return ExportTask(
        serving_model_dir=serving_model_dir,
        generation=settings.generation,
        export=settings.export,
        samples=samples if kind == "instructions" else document_prompts(samples.expected),
        exact=Questions(prompts[:exact], expected[:exact]),
        kind=kind,
        prompt_format=settings.data.prompt_format,
        family=settings.model.family,
    )


def document_prompts(documents: Sequence[str]) -> Questions:
    """Returns the first words of documents, to be continued in any way."""
    return Questions(first_words(documents), [""] * len(documents))


def published_sizes(sizes: Mapping[str, Any], backbone: Backbone) -> dict[str, Any]:
    """Returns `sizes` as the model really has them; of a folder's path, only its last part stays."""
    paths = {name: Path(sizes[name]).name for name in ("preset", "tokenizer_path") if _is_folder(sizes[name])}
    return dict(sizes) | paths | {name: getattr(backbone, name) for name in (*SIZES, "vocabulary_size")}


def _is_folder(folder: str | None) -> bool:
    return folder is not None and Path(folder).is_dir()


def clear_checkpoints(task: TrainingTask, trained: Trained) -> None:
    """Removes the checkpoints of a training whose model is exported."""
    if task.checkpoints and trained.checkpoint_fingerprint:
        CheckpointFolder(Path(task.checkpoints), fingerprint=trained.checkpoint_fingerprint, keep=1).clear()
