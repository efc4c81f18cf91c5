"""Trainer's ``run_fn``: rows in, a model in every form that it is published in, out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from modules import dataset, export, training
from modules.metrics import exact_answers
from modules.model import as_float32, build_backbone, load_preset, training_model
from modules.progress import TrainingProgress
from modules.rows import read_rows
from modules.signatures import ServingModule, save_serving_model
from modules.tokenizer import load_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

SAMPLES = 12


def run_fn(fn_args: FnArgs) -> None:
    """Trains and exports in five steps: rows, model, batches, fit, export.

    Args:
        fn_args: TFX's; ``custom_config`` holds the groups ``model``, ``training`` and ``generation`` of the
            pipeline's
            configuration.
    """
    sizes, options, generation = (fn_args.custom_config[group] for group in ("model", "training", "generation"))
    keras.utils.set_random_seed(options["seed"])
    rows, eval_rows = read_rows(fn_args.train_files), read_rows(fn_args.eval_files)
    backbone, tokenizer = make_model(sizes, precision=options["precision"], texts=[*rows[0], *rows[1]])
    batches, eval_batches = make_batches(rows, eval_rows, tokenizer, options)
    result = run_training(backbone, batches, eval_batches, options, log_dir=fn_args.model_run_dir)
    module = export_model(backbone, tokenizer, Path(fn_args.serving_model_dir), generation)
    report = {
        "parameters": backbone.count_params(),
        **result.as_dict(),
        "data": {"train": batches.report().as_dict(), "eval": eval_batches.report().as_dict()},
        "samples": make_samples(module, eval_rows),
        "exact_answers": exact_answers(module.respond, *eval_rows, rows=options["exact_answer_rows"]),
        "model": published_sizes(sizes),
        "training": dict(options),
    }
    write_report(report, Path(fn_args.serving_model_dir).parent / "exports" / "training.json")


def make_model(sizes: Mapping[str, Any], *, precision: str, texts: Sequence[str]) -> tuple[GPT2Backbone, Tokenizer]:
    """From a preset, or from scratch with the given tokenizer or one trained on `texts`."""
    if sizes["preset"]:
        return load_preset(sizes["preset"], dropout=sizes["dropout"], dtype=precision)
    if sizes["tokenizer_path"]:
        tokenizer = load_tokenizer(Path(sizes["tokenizer_path"]))
    else:
        tokenizer = train_tokenizer(texts, vocabulary_size=sizes["vocabulary_size"])
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=sizes["num_layers"],
        num_heads=sizes["num_heads"],
        hidden_dim=sizes["hidden_dim"],
        intermediate_dim=sizes["intermediate_dim"],
        dropout=sizes["dropout"],
        max_sequence_length=sizes["max_sequence_length"],
        dtype=precision,
    )
    return backbone, tokenizer


def make_batches(
    rows: tuple[list[str], list[str]],
    eval_rows: tuple[list[str], list[str]],
    tokenizer: Tokenizer,
    options: Mapping[str, Any],
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
        )
        logger.info("Split %s: %s", split, batches.report())
        made.append(batches)
    return made[0], made[1]


def run_training(
    backbone: GPT2Backbone,
    batches: dataset.PackedBatches,
    eval_batches: dataset.PackedBatches,
    options: Mapping[str, Any],
    *,
    log_dir: str,
) -> training.TrainingResult:
    """Fits the backbone in place; TensorBoard's files go to `log_dir`."""
    total_steps, epochs = training.plan_steps(
        steps_per_epoch=batches.steps, epochs=options["epochs"], max_steps=options["max_steps"]
    )
    schedule = training.make_schedule(
        learning_rate=options["learning_rate"],
        total_steps=total_steps,
        warmup_fraction=options["warmup_fraction"],
    )
    optimizer = training.make_optimizer(schedule, weight_decay=options["weight_decay"], clip_norm=options["clip_norm"])
    progress = TrainingProgress(
        total_steps=total_steps * batches.accumulation_steps,
        supervised_tokens_per_step=batches.report().supervised_tokens / len(batches),
    )
    board = keras.callbacks.TensorBoard(
        log_dir, update_freq=options["log_every_steps"], write_graph=False, profile_batch=0
    )
    model = training_model(backbone, sequence_length=options["sequence_length"])
    try:
        return training.fit(
            model,
            batches,
            eval_batches,
            optimizer=optimizer,
            total_steps=total_steps,
            epochs=epochs,
            callbacks=[progress, board],
        )
    finally:
        progress.close()


def export_model(
    backbone: GPT2Backbone, tokenizer: Tokenizer, serving_model_dir: Path, generation: Mapping[str, Any]
) -> ServingModule:
    """Writes the SavedModel into `serving_model_dir` and the other forms beside it, all in float32."""
    from modules.generation import TextGenerator

    backbone = as_float32(backbone)
    export.export_all(backbone, tokenizer, serving_model_dir.parent / "exports", generation=generation)
    module = ServingModule(TextGenerator(backbone, tokenizer), generation)
    save_serving_model(module, serving_model_dir)
    return module


def make_samples(module: ServingModule, rows: tuple[list[str], list[str]]) -> list[dict[str, str]]:
    """Answers to a few evenly spaced evaluation prompts, for the card and the log."""
    step = max(len(rows[0]) // SAMPLES, 1)
    prompts, expected = rows[0][::step][:SAMPLES], rows[1][::step][:SAMPLES]
    responses = module.respond(prompts)
    return [
        {"prompt": prompt, "response": response, "expected": wanted}
        for prompt, response, wanted in zip(prompts, responses, expected, strict=True)
    ]


def published_sizes(sizes: Mapping[str, Any]) -> dict[str, Any]:
    """`sizes` without the folders of this machine: of a path, its last part stays."""
    paths = {name: Path(sizes[name]).name for name in ("preset", "tokenizer_path") if _is_folder(sizes[name])}
    return dict(sizes) | paths


def _is_folder(place: str | None) -> bool:
    return place is not None and Path(place).is_dir()


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Writes the run's figures as JSON."""
    path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
