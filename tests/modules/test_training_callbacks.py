from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tokenizers import Tokenizer

from modules.models.training_model import training_model
from modules.serving.generation import Decoding, TextGenerator
from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from modules.settings.model import ModelSettings
from modules.settings.rows import RowSettings
from modules.settings.run import RunSettings
from modules.settings.training import TrainingSettings
from modules.training.callbacks.base import StepLogs
from modules.training.callbacks.configured import configured_callbacks
from modules.training.callbacks.evaluation import evaluation_plan
from modules.training.callbacks.samples import Sampler
from modules.training.callbacks.tensorboard import TensorBoardLog
from modules.training.fit import TrainingResult, fit, plan_steps
from modules.training.identity import checkpoint_folder
from modules.training.memory import OutOfMemoryError, memory_errors
from modules.training.optimizer import configured_optimizer, make_schedule
from modules.training.splits import TrainingData
from tests.modules.conftest import make_backbone
from tests.modules.tiny_training import ROWS, make_batches, one_layer_backbone


def options(**chosen: Any) -> TrainingSettings:
    settings = {"sequence_length": 32, "batch_size": 2, "max_steps": 6, "learning_rate": 1e-2, "log_every_steps": 2}
    return TrainingSettings.model_validate(settings | chosen)


def data(tokenizer: Tokenizer, chosen: TrainingSettings) -> TrainingData:
    batches = make_batches(tokenizer, packing=chosen.packing, accumulation_steps=chosen.accumulation_steps)
    prompts = [prompt for prompt, _ in ROWS]
    return TrainingData(batches, make_batches(tokenizer, shuffle=False), prompts, prompts)


def train(tokenizer: Tokenizer, log_dir: Path, **chosen: Any) -> tuple[TrainingData, TrainingResult]:
    keras.utils.set_random_seed(3)
    settings = options(**chosen)
    backbone = one_layer_backbone(tokenizer, dtype=settings.precision)
    made = data(tokenizer, settings)
    steps, _ = plan_steps(steps_per_epoch=made.batches.steps, epochs=settings.epochs, max_steps=settings.max_steps)
    schedule = make_schedule(learning_rate=settings.learning_rate, total_steps=steps, warmup_fraction=0.05)
    run = run_settings(settings)
    with configured_callbacks(
        backbone, tokenizer, made, run, total_steps=steps, schedule=schedule, log_dir=str(log_dir)
    ) as callbacks:
        return made, fit(
            training_model(backbone, sequence_length=settings.sequence_length),
            made.batches,
            made.eval_batches,
            optimizer=configured_optimizer(settings, schedule),
            total_steps=steps,
            evaluation=evaluation_plan(settings, steps_per_epoch=made.batches.steps),
            callbacks=callbacks,
            read_every=settings.log_every_steps,
        )


def run_settings(training: TrainingSettings) -> RunSettings:
    return RunSettings(
        data=RowSettings(),
        model=ModelSettings(),
        training=training,
        generation=GenerationSettings(max_new_tokens=4),
        export=ExportSettings(),
    )


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    found = events.Tags()["tensors"]
    texts = {"samples", "data"} & set(found)
    return {
        tag: [(event.step, tf.make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]
        for tag in found
        if tag not in texts
    } | {tag: [(event.step, tf.make_ndarray(event.tensor_proto).item().decode()) for event in events.Tensors(tag)]
         for tag in texts}  # fmt: skip


def test_curves_and_samples_are_logged(tokenizer: Tokenizer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        made, result = train(tokenizer, tmp_path, evaluate_every_steps=3, sample_every_steps=6, sample_rows=2)
    written = curves(tmp_path / "train")
    assert {tag: [step for step, _ in points] for tag, points in written.items()} == {
        "loss": [2, 4, 6],
        "token_accuracy": [2, 4, 6],
        "training/learning_rate": [2, 4, 6],
        "training/supervised_tokens_per_second": [4, 6],
        "training/tokens_per_second": [4, 6],
        "samples": [6],
        "data": [0],
    }
    assert "| rows | 6 |" in written["data"][0][1]
    assert f"| pad_fraction | {made.batches.report().pad_fraction:.6g} |" in written["data"][0][1]
    assert "| rows | 6 |" in curves(tmp_path / "eval")["data"][0][1]
    assert written["samples"][0][1].count("```text") == 2
    assert [step for step, _ in curves(tmp_path / "eval")["loss"]] == [3, 6]
    assert curves(tmp_path / "eval")["loss"][-1][1] == pytest.approx(result.eval_loss)
    assert caplog.text.count("Sample at step 6: 'say ") == 2
    assert [step for step, *_ in result.evaluations] == [3, 6]


def test_a_run_that_goes_on_shows_the_whole_curve(tmp_path: Path) -> None:
    def log(folder: str) -> TensorBoardLog:
        place = str(tmp_path / folder)
        return TensorBoardLog(place, learning_rate=lambda _: 0.1, tokens_per_supervised=2.0, every_steps=1)

    first, second = log("first"), log("second")
    first.on_train_batch_end(0, StepLogs(step=1, loss=3.0, token_accuracy=0.5, tokens=10))
    second.resume(1, first.progress(), {})
    second.on_train_batch_end(1, StepLogs(step=2, loss=2.0, token_accuracy=0.5, tokens=10))
    first.close()
    second.close()
    assert curves(tmp_path / "second" / "train")["loss"] == [(1, 3.0), (2, 2.0)]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_learns(tokenizer: Tokenizer, tmp_path: Path, precision: str) -> None:
    _, result = train(tokenizer, tmp_path, precision=precision, max_steps=60, learning_rate=3e-2)
    assert result.eval_loss < 2.5, "5.7 before"


def test_buckets_train_through_every_shape(tokenizer: Tokenizer, tmp_path: Path) -> None:
    _, result = train(tokenizer, tmp_path, packing="buckets", max_steps=6)
    assert result.steps == 6


def test_accumulated_steps_are_steps_of_the_optimizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    made, result = train(tokenizer, tmp_path, accumulation_steps=2, max_steps=4, packing="none")
    assert (made.batches.steps, len(made.batches), result.steps) == (2, 4, 4)
    rates = curves(tmp_path / "train")["training/learning_rate"]
    assert [step for step, _ in rates] == [2, 4]


def test_samples_are_what_the_serving_model_answers(tokenizer: Tokenizer) -> None:
    backbone = make_backbone(tokenizer)
    prompts = ["pear", "Sort the words.\n", ""]
    sampler = Sampler(backbone, tokenizer, prompts, max_new_tokens=7)
    greedy = Decoding(tf.constant(7), tf.constant(0.0), tf.constant(0), tf.constant(1.0), tf.constant(0))
    generate = tf.function(TextGenerator(backbone, tokenizer).generate, autograph=False)
    answers = generate(tf.constant(prompts), greedy).numpy()
    assert sampler() == [
        (prompt, answer.decode(errors="replace")) for prompt, answer in zip(prompts, answers, strict=True)
    ]


def test_settings_without_effect_share_checkpoints_and_others_do_not(tokenizer: Tokenizer, tmp_path: Path) -> None:
    def name(facts: dict[str, Any], **chosen: Any) -> str | None:
        settings = options(**chosen)
        batches = data(tokenizer, settings).batches
        folder = checkpoint_folder(str(tmp_path), settings, batches=batches, facts=facts)
        return folder.fingerprint if folder else None

    facts = {"code": "1"}
    usual = name(facts)
    assert usual == name(facts, log_every_steps=7, checkpoint_every_steps=1, keep_checkpoints=9, sample_every_steps=1)
    assert len({usual, name({"code": "2"}), name(facts, learning_rate=2e-2), name(facts, accumulation_steps=2)}) == 4
    assert name(facts, checkpoint_every_steps=0) is None


def test_exhausted_memory_is_said_with_what_to_lower(tokenizer: Tokenizer) -> None:
    with (
        pytest.raises(
            OutOfMemoryError,
            match=r"Received: training\.batch_size=2 rows of training\.sequence_length=32 tokens; .*OOM when allocating"
            r".*Lower training\.batch_size and raise training\.accumulation_steps",
        ),
        memory_errors(make_batches(tokenizer)),
    ):
        tf.zeros([2**44])
    with pytest.raises(tf.errors.InvalidArgumentError), memory_errors(make_batches(tokenizer)):
        tf.reshape(tf.zeros([2]), [3])
