"""Trainer's ``run_fn``: rows in, a model in every form that it is published in, out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from modules.exports import TrainedModel
from modules.exports.process import ExportTask, Questions, export_apart, export_from_trainer
from modules.models.attention import attention_of, chosen_attention
from modules.models.families import find_family
from modules.models.family import Sizes
from modules.models.initial_model import load_model
from modules.models.initial_tokenizer import initial_tokenizer
from modules.models.lora import adapt, parameter_counts
from modules.prompts import find_format
from modules.provenance import provenance, run_id
from modules.settings.model import ModelSettings
from modules.settings.run import RunSettings, initial_model_folder, tuned_values, with_values
from modules.settings.training import Overlong, TrainingSettings
from modules.training import dataset
from modules.training.backend import run_task
from modules.training.callbacks.configured import TrainingData, checkpoint_folder, run_training
from modules.training.checkpoints import CheckpointFolder
from modules.training.devices import shared_training
from modules.training.dropped import check_dropped
from modules.training.slots import ALONE, Sharing
from modules.training.task import Trained, TrainingTask
from modules.training_record import TrainingRecord

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

SAMPLES = 12
SIZES = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim", "max_sequence_length")
BEGINNING_WORDS = 6


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports: rows, training on the backend that is asked for, export.

    Args:
        fn_args: TFX's; ``custom_config`` holds :class:`RunSettings`.
    """
    from modules.rows import read_rows  # the one part that needs TensorFlow

    tuned = tuned_values(fn_args.hyperparameters)
    settings = with_values(RunSettings.from_custom_config(fn_args.custom_config), tuned)
    rows, eval_rows = read_rows(fn_args.train_files), read_rows(fn_args.eval_files)
    task = TrainingTask(
        settings,
        rows,
        eval_rows,
        log_dir=fn_args.model_run_dir,
        serving_model_dir=fn_args.serving_model_dir,
        checkpoints=checkpoint_root(settings.checkpoints, fn_args.model_run_dir),
        run_id=run_id(os.environ, fn_args.model_run_dir),
        initial_model=initial_model_folder(fn_args.base_model),
    )
    trained = run_task(task, train)
    report = trained.report | {
        "kind": settings.data.kind,
        "tuned": tuned,
        "provenance": provenance(os.environ, run_folder=fn_args.model_run_dir, rows={"train": rows, "eval": eval_rows}),
    }
    export = export_task(settings, eval_rows, fn_args.serving_model_dir)
    TrainingRecord.model_validate(report | export_apart(export)).write(export.artifact / "exports")
    if task.checkpoints and trained.checkpoint_fingerprint:
        CheckpointFolder(Path(task.checkpoints), fingerprint=trained.checkpoint_fingerprint, keep=1).clear()


def checkpoint_root(place: str | None, model_run_dir: str) -> str | None:
    """Folder of all trainings' checkpoints; a relative `place` starts at this run's own folder."""
    return place and os.path.normpath(os.path.join(model_run_dir, place))  # noqa: PTH118 - `..` before links


def train(task: TrainingTask) -> Trained:
    """Model, batches, fit, and the preset; needs no TensorFlow on another backend. Lets go of the model, or two
    processes would hold it when it is exported."""
    training = task.settings.training
    with shared_training(
        training.distribution,
        devices=training.devices,
        batch_size=training.batch_size,
        sharding=find_family(task.settings.model.family).sharding,
    ) as sharing:
        return _train(task, sharing)


def _train(task: TrainingTask, sharing: Sharing) -> Trained:
    settings, options = task.settings, task.settings.training
    keras.utils.set_random_seed(options.seed)
    texts = [*task.rows[0], *task.rows[1]]
    backbone, tokenizer = make_model(settings.model, options, texts=texts, initial_model=task.initial_model)
    batches, eval_batches = make_batches(
        task.rows, task.eval_rows, tokenizer, options, overlong=settings.overlong, sharing=sharing
    )
    check_dropped(
        dropped=batches.report().rows_dropped,
        read=batches.report().rows_read,
        allowed=settings.data.max_dropped,
        sequence_length=options.sequence_length,
    )
    counts, attention = parameter_counts(backbone), attention_of(backbone, options.attention)
    logger.info("Of %(parameters)d parameters %(trainable_parameters)d are trained.", counts)
    logger.info("Attention: %s", attention)
    facts = {
        "model": settings.published_model(),
        "initial_model": task.initial_model,
        "overlong": settings.overlong,
        "code": settings.fingerprint,
    }
    checkpoints = checkpoint_folder(task.checkpoints, options, batches=batches, facts=facts, run_id=task.run_id)
    result = run_training(
        backbone,
        tokenizer,
        TrainingData(batches, eval_batches, *_shown(task)),
        options,
        log_dir=task.log_dir,
        checkpoints=checkpoints,
        max_new_tokens=settings.generation.max_new_tokens,
    )
    if task.serving_model_dir is not None:
        export_from_trainer(
            TrainedModel(
                backbone,
                tokenizer,
                settings.generation,
                find_format(settings.data.prompt_format, kind=settings.data.kind),
                kind=settings.data.kind,
                preset=settings.model.preset,
            ),
            Path(task.serving_model_dir).parent,
        )
    report = {
        **counts,
        "attention": attention,
        **result.as_dict(),
        "data": {"train": batches.report().as_dict(), "eval": eval_batches.report().as_dict()},
        "model": published_sizes(settings.published_model(), backbone),
        "training": settings.published_training(),
    }
    return Trained(report, checkpoints.fingerprint if checkpoints else None)


def _shown(task: TrainingTask) -> tuple[Sequence[str], Sequence[str]]:
    """What people are shown of the rows: their prompts; of documents, themselves and their beginnings."""
    if task.settings.data.kind == "instructions":
        return task.rows[0], task.eval_rows[0]
    return task.rows[1], beginnings(task.eval_rows[1]).prompts


def make_model(
    model: ModelSettings, training: TrainingSettings, *, texts: Sequence[str], initial_model: str | None = None
) -> tuple[Backbone, Tokenizer]:
    """Returns what training starts with, with adapters if they are asked for.

    Args:
        model: what to start from, or sizes for a model from scratch.
        training: precision, attention and adapters.
        texts: prompts and responses that a tokenizer may be trained on, for a model from scratch.
        initial_model: folder of the model to start from in place of ``model.preset``.
    """
    if place := initial_model or model.preset:
        family = find_family(model.family)
        backbone, tokenizer = load_model(
            family, place, attention=training.attention, dropout=model.dropout, dtype=training.precision
        )
    else:
        backbone, tokenizer = new_model(model, training, texts=texts)
    adapt(backbone, training)
    return backbone, tokenizer


def new_model(model: ModelSettings, training: TrainingSettings, *, texts: Sequence[str]) -> tuple[Backbone, Tokenizer]:
    """Returns a model from scratch, and a tokenizer that is given or trained on `texts`."""
    family = find_family(model.family)
    tokenizer = initial_tokenizer(
        family, texts, model=None, tokenizer_path=model.tokenizer_path, vocabulary_size=model.vocabulary_size
    )
    with chosen_attention(training.attention):
        sizes = Sizes(
            vocabulary_size=tokenizer.get_vocab_size(),
            num_layers=model.num_layers,
            num_heads=model.num_heads,
            hidden_dim=model.hidden_dim,
            intermediate_dim=model.intermediate_dim,
            max_sequence_length=model.max_sequence_length,
        )
        backbone = family.build(sizes, dropout=model.dropout, dtype=training.precision)
    family.draw_weights(backbone)
    return backbone, tokenizer


def make_batches(
    rows: tuple[list[str], list[str]],
    eval_rows: tuple[list[str], list[str]],
    tokenizer: Tokenizer,
    training: TrainingSettings,
    *,
    overlong: Overlong,
    sharing: Sharing = ALONE,
) -> tuple[dataset.PackedBatches, dataset.PackedBatches]:
    """Training and evaluation batches; what they hold goes to the log."""
    made = []
    for split, (prompts, responses) in (("train", rows), ("eval", eval_rows)):
        examples = dataset.tokenize_examples(
            prompts,
            responses,
            tokenizer,
            sequence_length=training.sequence_length,
            overlong=overlong,
        )
        batches = dataset.PackedBatches(
            examples,
            sequence_length=training.sequence_length,
            batch_size=training.batch_size,
            packing=training.packing,
            accumulation_steps=training.accumulation_steps if split == "train" else 1,
            epochs=training.epochs if split == "train" else 1,
            seed=training.seed,
            shuffle=split == "train",
            sharing=sharing if split == "train" else sharing.for_evaluation,
        )
        logger.info("Split %s: %s", split, batches.report())
        made.append(batches)
    return made[0], made[1]


def export_task(settings: RunSettings, eval_rows: tuple[list[str], list[str]], serving_model_dir: str) -> ExportTask:
    """What to export, and what to ask the exported model: a few evenly spaced evaluation rows for the card and the
    log, and those whose answers must be exact."""
    (prompts, expected), kind = eval_rows, settings.data.kind
    step, exact = max(len(prompts) // SAMPLES, 1), settings.training.exact_answer_rows
    samples = Questions(prompts[::step][:SAMPLES], expected[::step][:SAMPLES])
    return ExportTask(
        serving_model_dir=serving_model_dir,
        generation=settings.generation,
        export=settings.export,
        samples=samples if kind == "instructions" else beginnings(samples.expected),
        exact=Questions(prompts[:exact], expected[:exact]),
        kind=kind,
        prompt_format=settings.data.prompt_format,
        family=settings.model.family,
    )


def beginnings(documents: Sequence[str]) -> Questions:
    """The first words of documents, to be continued in any way."""
    firsts = [" ".join(document.split()[:BEGINNING_WORDS]) for document in documents]
    return Questions(firsts, [""] * len(firsts))


def published_sizes(sizes: Mapping[str, Any], backbone: Backbone) -> dict[str, Any]:
    """Returns `sizes` as the model really has them; of a folder's path, only its last part stays."""
    paths = {name: Path(sizes[name]).name for name in ("preset", "tokenizer_path") if _is_folder(sizes[name])}
    return dict(sizes) | paths | {name: getattr(backbone, name) for name in (*SIZES, "vocabulary_size")}


def _is_folder(place: str | None) -> bool:
    return place is not None and Path(place).is_dir()
