"""Trainer's ``run_fn``: rows in, a model in every form that it is published in, out."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from modules.batches import dataset
from modules.batches.dropped import check_dropped
from modules.batches.slots import ALONE, Sharing
from modules.fitting.backend import run_task
from modules.fitting.checkpoints import CheckpointFolder
from modules.fitting.configured_training import TrainingData, checkpoint_folder, run_training
from modules.fitting.devices import shared_training
from modules.fitting.training_task import Trained, TrainingTask
from modules.network.adapter_files import ADAPTER, base_name, save_adapter
from modules.network.attention import attention_of, chosen_attention
from modules.network.initial_tokenizer import initial_tokenizer
from modules.network.initial_weights import draw_weights
from modules.network.lora import adapt, has_adapters, parameter_counts
from modules.network.model import build_backbone
from modules.network.starting_point import load_model
from modules.provenance import provenance, run_id
from modules.serving.export_process import ExportTask, Questions, export_apart, export_preset
from modules.settings import Settings, run_settings, tuned_values
from modules.training_record import TrainingRecord

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

SAMPLES = 12
SIZES = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim", "max_sequence_length")
BEGINNING_WORDS = 6


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports: rows, training on the backend that is asked for, export.

    Args:
        fn_args: TFX's; ``custom_config`` holds the groups ``model``, ``training``, ``generation`` and ``export`` of
            the pipeline's configuration.
    """
    from modules.text.rows import read_rows  # the one part that needs TensorFlow

    settings = run_settings(fn_args.custom_config, fn_args.hyperparameters, base_model=fn_args.base_model)
    rows, eval_rows = read_rows(fn_args.train_files), read_rows(fn_args.eval_files)
    task = TrainingTask(
        settings,
        rows,
        eval_rows,
        log_dir=fn_args.model_run_dir,
        serving_model_dir=fn_args.serving_model_dir,
        checkpoints=checkpoint_root(fn_args.custom_config.get("checkpoints"), fn_args.model_run_dir),
        code=fn_args.custom_config["fingerprint"],
        run_id=run_id(os.environ, fn_args.model_run_dir),
    )
    trained = run_task(task, train)
    report = trained.report | {
        "kind": settings["data"]["kind"],
        "tuned": tuned_values(fn_args.hyperparameters),
        "provenance": provenance(os.environ, run_folder=fn_args.model_run_dir, rows={"train": rows, "eval": eval_rows}),
    }
    export = export_task(settings, eval_rows, fn_args.serving_model_dir)
    TrainingRecord.model_validate(report | export_apart(export)).write(export.exports)
    if task.checkpoints and trained.checkpoint_fingerprint:
        CheckpointFolder(Path(task.checkpoints), fingerprint=trained.checkpoint_fingerprint, keep=1).clear()


def checkpoint_root(place: str | None, model_run_dir: str) -> str | None:
    """Folder of all trainings' checkpoints; a relative `place` starts at this run's own folder."""
    return place and os.path.normpath(os.path.join(model_run_dir, place))  # noqa: PTH118 - `..` before links


def train(task: TrainingTask) -> Trained:
    """Model, batches, fit, and the preset; needs no TensorFlow on another backend. Lets go of the model, or two
    processes would hold it when it is exported."""
    options = task.settings["training"]
    with shared_training(
        options["distribution"], devices=options["devices"], batch_size=options["batch_size"]
    ) as sharing:
        return _train(task, sharing)


def _train(task: TrainingTask, sharing: Sharing) -> Trained:
    sizes, options = task.settings["model"], task.settings["training"]
    keras.utils.set_random_seed(options["seed"])
    texts = [*task.rows[0], *task.rows[1]]
    backbone, tokenizer = make_model(sizes, options, texts=texts)
    batches, eval_batches = make_batches(task.rows, task.eval_rows, tokenizer, options, sharing)
    check_dropped(
        dropped=batches.report().rows_dropped,
        read=batches.report().rows_read,
        allowed=task.settings["data"].get("max_dropped", 1.0),
        sequence_length=options["sequence_length"],
    )
    counts, attention = parameter_counts(backbone), attention_of(backbone, options["attention"])
    logger.info("Of %(parameters)d parameters %(trainable_parameters)d are trained.", counts)
    logger.info("Attention: %s", attention)
    facts = {"model": dict(sizes), "code": task.code}
    checkpoints = checkpoint_folder(task.checkpoints, options, batches=batches, facts=facts, run_id=task.run_id)
    result = run_training(
        backbone,
        tokenizer,
        TrainingData(batches, eval_batches, *_shown(task)),
        options,
        log_dir=task.log_dir,
        checkpoints=checkpoints,
        max_new_tokens=task.settings["generation"]["max_new_tokens"],
    )
    if task.serving_model_dir is not None:
        export_preset(backbone, tokenizer, Path(task.serving_model_dir))
        if has_adapters(backbone):
            save_adapter(backbone, Path(task.serving_model_dir).parent / "exports" / ADAPTER, base=base_name(sizes))
    report = {
        **counts,
        "attention": attention,
        **result.as_dict(),
        "data": {"train": batches.report().as_dict(), "eval": eval_batches.report().as_dict()},
        "model": published_sizes(sizes, backbone),
        "training": dict(options),
    }
    return Trained(report, checkpoints.fingerprint if checkpoints else None)


def _shown(task: TrainingTask) -> tuple[Sequence[str], Sequence[str]]:
    """What people are shown of the rows: their prompts; of documents, themselves and their beginnings."""
    if task.settings["data"]["kind"] == "instructions":
        return task.rows[0], task.eval_rows[0]
    return task.rows[1], beginnings(task.eval_rows[1]).prompts


def make_model(
    sizes: Mapping[str, Any], options: Mapping[str, Any], *, texts: Sequence[str]
) -> tuple[GPT2Backbone, Tokenizer]:
    """What training starts with: from a given model, or from scratch with a tokenizer given or trained on `texts`;
    with adapters if they are asked for."""
    kind = {"dropout": sizes["dropout"], "dtype": options["precision"]}
    if place := sizes.get("start") or sizes["preset"]:
        backbone, tokenizer = load_model(place, attention=options["attention"], **kind)
    else:
        tokenizer = initial_tokenizer(
            texts, model=None, tokenizer_path=sizes["tokenizer_path"], vocabulary_size=sizes["vocabulary_size"]
        )
        with chosen_attention(options["attention"]):
            backbone = build_backbone(
                vocabulary_size=tokenizer.get_vocab_size(), **{name: sizes[name] for name in SIZES}, **kind
            )
        draw_weights(backbone)
    adapt(backbone, options)
    return backbone, tokenizer


def make_batches(
    rows: tuple[list[str], list[str]],
    eval_rows: tuple[list[str], list[str]],
    tokenizer: Tokenizer,
    options: Mapping[str, Any],
    sharing: Sharing = ALONE,
) -> tuple[dataset.PackedBatches, dataset.PackedBatches]:
    """Training and evaluation batches; what they hold goes to the log."""
    made = []
    for split, (prompts, responses) in (("train", rows), ("eval", eval_rows)):
        examples = dataset.tokenize_examples(
            prompts,
            responses,
            tokenizer,
            sequence_length=options["sequence_length"],
            overlong=options["overlong"],
        )
        batches = dataset.PackedBatches(
            examples,
            sequence_length=options["sequence_length"],
            batch_size=options["batch_size"],
            packing=options["packing"],
            accumulation_steps=options["accumulation_steps"] if split == "train" else 1,
            epochs=options["epochs"] if split == "train" else 1,
            seed=options["seed"],
            shuffle=split == "train",
            sharing=sharing if split == "train" else sharing.for_evaluation,
        )
        logger.info("Split %s: %s", split, batches.report())
        made.append(batches)
    return made[0], made[1]


def export_task(settings: Settings, eval_rows: tuple[list[str], list[str]], serving_model_dir: str) -> ExportTask:
    """What to export, and what to ask the exported model: a few evenly spaced evaluation rows for the card and the
    log, and those whose answers must be exact."""
    (prompts, expected), kind = eval_rows, settings["data"]["kind"]
    step, exact = max(len(prompts) // SAMPLES, 1), settings["training"]["exact_answer_rows"]
    samples = Questions(prompts[::step][:SAMPLES], expected[::step][:SAMPLES])
    return ExportTask(
        serving_model_dir=serving_model_dir,
        generation=settings["generation"],
        ctranslate2=settings["export"]["ctranslate2"],
        samples=samples if kind == "instructions" else beginnings(samples.expected),
        exact=Questions(prompts[:exact], expected[:exact]),
        kind=kind,
    )


def beginnings(documents: Sequence[str]) -> Questions:
    """The first words of documents, to be continued in any way."""
    firsts = [" ".join(document.split()[:BEGINNING_WORDS]) for document in documents]
    return Questions(firsts, [""] * len(firsts))


def published_sizes(sizes: Mapping[str, Any], backbone: GPT2Backbone) -> dict[str, Any]:
    """`sizes` as the model really has them, without the folders of this machine: of a path, its last part stays."""
    paths = {name: Path(sizes[name]).name for name in ("preset", "tokenizer_path") if _is_folder(sizes[name])}
    given = {name: value for name, value in sizes.items() if name != "start"}
    return given | paths | {name: getattr(backbone, name) for name in (*SIZES, "vocabulary_size")}


def _is_folder(place: str | None) -> bool:
    return place is not None and Path(place).is_dir()
