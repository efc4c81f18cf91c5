from __future__ import annotations

import io
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from tokenizers import Tokenizer

from modules.models.float32 import as_float32
from modules.models.gpt2.network import build_backbone
from modules.models.gpt2.weights import load_preset
from modules.models.presets import PresetError
from modules.models.training_model import ContextError, training_model
from modules.serving.exact_answers import exact_answers
from modules.training.callbacks.base import StepLogs
from modules.training.callbacks.divergence import DivergedError
from modules.training.callbacks.evaluation import evaluate
from modules.training.callbacks.progress import TrainingProgress
from modules.training.dataset import PackedBatches, tokenize_examples
from modules.training.fit import TrainingResult, fit, plan_steps
from modules.training.optimizer import make_optimizer, make_schedule
from tests.modules.conftest import make_backbone
from tests.modules.tiny_training import one_layer_backbone

pytestmark = pytest.mark.arithmetic

ROWS = [(f"say {word}\n", word) for word in ("pear", "apple", "Sort", "world")]


def make_batches(tokenizer: Tokenizer, *, batch_size: int = 2, accumulation_steps: int = 1) -> PackedBatches:
    examples = tokenize_examples([p for p, _ in ROWS], [r for _, r in ROWS], tokenizer, sequence_length=32)
    return PackedBatches(
        examples,
        sequence_length=32,
        batch_size=batch_size,
        packing="none",
        accumulation_steps=accumulation_steps,
        shuffle=False,
    )


def run(tokenizer: Tokenizer, *, learning_rate: float = 1e-2, epochs: int = 60) -> TrainingResult:
    keras.utils.set_random_seed(3)
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        dropout=0.0,
        max_sequence_length=32,
        dtype="float32",
    )
    batches = make_batches(tokenizer)
    total, _ = plan_steps(steps_per_epoch=batches.steps, epochs=epochs, max_steps=None)
    schedule = make_schedule(learning_rate=learning_rate, total_steps=total, warmup_fraction=0.1)
    return fit(
        training_model(backbone, sequence_length=32),
        batches,
        make_batches(tokenizer),
        optimizer=make_optimizer(schedule, weight_decay=0.0, clip_norm=1.0),
        total_steps=total,
    )


def test_a_tiny_model_learns_its_rows_and_repeats_from_its_seed(tokenizer: Tokenizer) -> None:
    first, second = run(tokenizer), run(tokenizer)
    assert first.eval_token_accuracy == 1.0
    assert first.eval_loss < 0.1
    assert first.steps == 120
    assert second.eval_loss == pytest.approx(first.eval_loss, rel=1e-3)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_step_and_rows(tokenizer: Tokenizer) -> None:
    with pytest.raises(
        DivergedError,
        match=r"Received: the loss is (nan|inf) at optimizer step \d+ \(epoch \d+\), of 2 rows: \d: '\d'; \d: '\d'\. "
        r"Lower training\.learning_rate",
    ):
        run(tokenizer, learning_rate=1e30)


def test_accumulated_small_batches_train_as_one_large_batch(tokenizer: Tokenizer) -> None:
    weights = []
    for batch_size, accumulation_steps in ((4, 1), (1, 4)):
        backbone = make_backbone(tokenizer)
        backbone.set_weights([weight / 20 for weight in backbone.get_weights()])  # no magnified rounding
        batches = make_batches(tokenizer, batch_size=batch_size, accumulation_steps=accumulation_steps)
        # Plain gradient descent: Adam's first step only knows signs, which rounding can turn.
        optimizer = keras.optimizers.SGD(
            0.1, gradient_accumulation_steps=accumulation_steps if accumulation_steps > 1 else None
        )
        fit(
            training_model(backbone, sequence_length=32),
            batches,
            make_batches(tokenizer),
            optimizer=optimizer,
            total_steps=2,
        )
        weights.append(backbone.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_evaluation_is_the_mean_over_tokens_whatever_the_batch(tokenizer: Tokenizer) -> None:
    model = training_model(make_backbone(tokenizer, dropout=0.5), sequence_length=32)
    one, many = (evaluate(model, make_batches(tokenizer, batch_size=size)) for size in (4, 1))
    assert one.loss == pytest.approx(many.loss, rel=1e-5)
    assert one.token_accuracy == pytest.approx(many.token_accuracy)


@pytest.mark.parametrize(("max_steps", "expected"), [(None, (30, 3)), (25, (25, 3)), (10, (10, 1)), (99, (30, 3))])
def test_steps_are_planned_from_the_real_number_of_batches(max_steps: int | None, expected: tuple[int, int]) -> None:
    assert plan_steps(steps_per_epoch=10, epochs=3, max_steps=max_steps) == expected


def test_the_schedule_rises_linearly_peaks_and_ends_at_zero() -> None:
    schedule = make_schedule(learning_rate=1.0, total_steps=100, warmup_fraction=0.1)
    rates = [float(schedule(step)) for step in (0, 5, 10, 55, 100)]
    np.testing.assert_allclose(rates, [0.0, 0.5, 1.0, 0.5, 0.0], atol=1e-6)


def test_without_warm_up_the_schedule_starts_at_its_peak() -> None:
    schedule = make_schedule(learning_rate=1.0, total_steps=100, warmup_fraction=0.0)
    assert float(schedule(0)) == 1.0


def test_weight_decay_spares_biases_and_layer_norms(tokenizer: Tokenizer) -> None:
    optimizer = make_optimizer(1e-3, weight_decay=0.1, clip_norm=1.0)
    variables = make_backbone(tokenizer).trainable_variables
    optimizer.build(variables)
    decayed = {variable.path.split("/")[-1] for variable in variables if optimizer._use_weight_decay(variable)}
    assert decayed == {"kernel", "embeddings"}


def test_a_sequence_beyond_the_context_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(ContextError, match=r"training\.sequence_length=65, context 64"):
        training_model(make_backbone(tokenizer), sequence_length=65)


def test_an_unknown_preset_is_named(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match=r"Received: model\.preset='.*absent'"):
        load_preset(str(tmp_path / "absent"), dropout=0.1, dtype="float32")


def test_a_mixed_precision_model_is_exported_in_float32(tokenizer: Tokenizer) -> None:
    mixed = one_layer_backbone(tokenizer, dtype="mixed_bfloat16")
    copy = as_float32(mixed)
    assert copy.compute_dtype == "float32"
    for one, other in zip(copy.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_preset_folder_gives_its_model_and_tokenizer(tokenizer: Tokenizer, tmp_path: Path) -> None:
    from modules.exports import TrainedModel
    from modules.exports.keras_preset import KERAS

    backbone = make_backbone(tokenizer)
    KERAS.write(TrainedModel(backbone, tokenizer), tmp_path / "preset")
    loaded, loaded_tokenizer = load_preset(str(tmp_path / "preset"), dropout=0.25, dtype="float32")
    assert loaded.dropout == 0.25
    assert loaded_tokenizer.encode("pear, apple").ids == tokenizer.encode("pear, apple").ids
    for one, other in zip(loaded.get_weights(), backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def read(progress: TrainingProgress, step: int, *, loss: float = 1.5, tokens: int = 100) -> None:
    progress.on_train_batch_end(step - 1, StepLogs(step=step, loss=loss, token_accuracy=0.5, tokens=tokens))


def test_progress_without_a_terminal_writes_plain_lines() -> None:
    stream = io.StringIO()
    progress = TrainingProgress(total_steps=4, line_seconds=0.0, stream=stream)
    progress.on_train_begin()
    for step in range(1, 5):
        read(progress, step)
    progress.close()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3, "every step but the first, which also compiles"
    assert re.fullmatch(r"  training step 4/4 · loss 1\.500 · [\d,]+ supervised tokens/s · 0 s left", lines[-1])


def test_a_long_evaluation_is_told_without_a_terminal_and_its_loss_stays_in_sight() -> None:
    stream = io.StringIO()
    progress = TrainingProgress(total_steps=4, evaluation_batches=1200, line_seconds=0.0, stream=stream)
    for step in (1, 2):
        read(progress, step)
    progress.on_test_batch_begin(0)
    progress.on_test_end(StepLogs(step=2, loss=1.25, token_accuracy=0.5, tokens=100))
    read(progress, 3)

    _, evaluating, after = stream.getvalue().splitlines()
    assert evaluating == "  evaluating batch 1 of 1,200"
    assert after.startswith("  training step 3/4 · loss 1.500, in evaluation 1.250 · ")


def test_the_shown_loss_is_recent() -> None:
    progress = TrainingProgress(total_steps=100, stream=io.StringIO())
    for step in range(1, 101):
        read(progress, step, loss=8.0 if step <= 50 else 2.0, tokens=1)
    assert progress.loss == pytest.approx(2.0, abs=0.04)


def test_exact_answers_counts_whole_answers_only() -> None:
    answers = {"a": "1", "b": "2 ", "c": "3"}
    counted = exact_answers(lambda prompts: [answers[p] for p in prompts], ["a", "b", "c"], ["1", "2", "3"], rows=3)
    assert counted == {"rows": 3, "exact": 2, "share": 2 / 3}
    assert exact_answers(lambda prompts: [], ["a"], ["1"], rows=0) is None
