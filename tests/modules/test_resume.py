from __future__ import annotations

import functools
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from tokenizers import Tokenizer

from modules.training.callbacks.divergence import DivergedError
from modules.training.callbacks.evaluation import EvaluationPlan
from modules.training.fit import TrainingResult
from modules.training.model_state import CheckpointMismatchError
from tests.modules.tiny_training import STEPS_PER_EPOCH, At, Fit, KilledError

pytestmark = pytest.mark.arithmetic


def saved_steps(fit: Fit) -> list[int]:
    assert fit.folder is not None
    return [int(path.stem.split("-")[1]) for path in sorted(fit.folder.folder.glob("*.npz"))]


@pytest.fixture(scope="module")
def undisturbed(tokenizer: Tokenizer) -> Callable[..., tuple[Fit, TrainingResult]]:
    """A training with these settings that nothing interrupts, made once."""

    @functools.cache
    def run(**settings: Any) -> tuple[Fit, TrainingResult]:
        fit = Fit(tokenizer, **settings)
        return fit, fit.run()

    return run


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.3},
        {"dropout": 0.3, "batch_size": 1, "accumulation_steps": 2},
        {"dropout": 0.3, "precision": "mixed_float16"},
    ],
    ids=["dropout", "accumulation", "loss scale"],
)
def test_a_killed_training_reaches_the_same_weights(
    tokenizer: Tokenizer,
    undisturbed: Callable[..., tuple[Fit, TrainingResult]],
    tmp_path: Path,
    settings: dict[str, Any],
) -> None:
    whole, expected = undisturbed(**settings)
    killed = Fit(tokenizer, tmp_path, **settings)
    with pytest.raises(KilledError):
        killed.run(killed_after=5)
    assert saved_steps(killed) == [2, 4]
    resumed = Fit(tokenizer, tmp_path, **settings)
    result = resumed.run()
    assert result.resumed_from == 4
    assert list(resumed.scores) == [5, 6, 7, 8]
    for step, loss in resumed.scores.items():
        assert loss == pytest.approx(whole.scores[step], rel=1e-6)
    assert (result.steps, result.train_loss) == (8, pytest.approx(expected.train_loss, rel=1e-6))
    assert result.eval_loss == pytest.approx(expected.eval_loss, rel=1e-6)
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_a_process_that_is_killed_leaves_what_the_next_one_goes_on_from(
    tokenizer: Tokenizer, undisturbed: Callable[..., tuple[Fit, TrainingResult]], tmp_path: Path
) -> None:
    killed = subprocess.run([sys.executable, "-m", "tests.modules.killed_training", str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (whole, _), resumed = undisturbed(dropout=0.3), Fit(tokenizer, tmp_path, dropout=0.3)
    assert resumed.run().resumed_from == 4
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_a_training_that_had_ended_is_not_repeated(tokenizer: Tokenizer, tmp_path: Path) -> None:
    first = Fit(tokenizer, tmp_path, dropout=0.3)
    expected = first.run()
    again = Fit(tokenizer, tmp_path, dropout=0.3)
    result = again.run()
    assert again.scores == {}
    assert (result.resumed_from, result.train_loss) == (8, expected.train_loss)
    for one, other in zip(again.weights(), first.weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_best_weights_survive_a_kill(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plan = EvaluationPlan(every_steps=(1,), keep="best")
    # A learning rate that ruins what the first steps learnt.
    whole = Fit(tokenizer, learning_rate=3.0)
    expected = whole.run(evaluation=plan)
    assert expected.kept_step < 8
    assert expected.eval_loss == min(loss for _, loss, _ in expected.evaluations)
    with pytest.raises(KilledError):
        Fit(tokenizer, tmp_path, learning_rate=3.0).run(evaluation=plan, killed_after=7)
    resumed = Fit(tokenizer, tmp_path, learning_rate=3.0)
    result = resumed.run(evaluation=plan)
    assert (result.resumed_from, result.kept_step) == (6, expected.kept_step)
    assert [step for step, *_ in result.evaluations] == list(range(1, 9))
    for one, other in zip(resumed.weights(), whole.weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_patience_ends_the_training_and_a_resumed_one_stays_ended(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plan = EvaluationPlan(every_steps=(STEPS_PER_EPOCH,), patience=1, min_delta=100.0)
    result = Fit(tokenizer, tmp_path).run(30, evaluation=plan)
    assert (result.steps, result.planned_steps, [step for step, *_ in result.evaluations]) == (6, 30, [3, 6])
    assert result.stop_reason == (
        f"the evaluation loss has not fallen by more than 100 below {result.evaluations[0][1]:.4f}, that of step 3, "
        "in 1 evaluations"
    )
    again = Fit(tokenizer, tmp_path)
    resumed = again.run(30, evaluation=plan)
    assert (resumed.steps, resumed.stop_reason) == (6, result.stop_reason)
    assert again.scores == {}


def test_patience_goes_on_counting_where_a_killed_training_had_come_to(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plan = EvaluationPlan(every_steps=(1,), patience=5, min_delta=100.0)
    expected = Fit(tokenizer).run(30, evaluation=plan)
    assert (expected.steps, expected.kept_step) == (6, 6)
    with pytest.raises(KilledError):
        Fit(tokenizer, tmp_path).run(30, evaluation=plan, killed_after=5)

    resumed = Fit(tokenizer, tmp_path).run(30, evaluation=plan)

    assert resumed.resumed_from == 4
    assert (resumed.steps, resumed.stop_reason) == (expected.steps, expected.stop_reason)


def test_a_training_killed_as_it_is_about_to_end_early_ends_there(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plan = EvaluationPlan(every_steps=(2,), patience=1, min_delta=100.0)
    first = Fit(tokenizer, tmp_path)
    first.run(30, evaluation=plan)
    assert first.folder is not None
    newest = first.folder.newest()
    assert newest is not None
    first.folder.save(4, newest.arrays, newest.progress | {"finished": False})  # as it was written before the end

    again = Fit(tokenizer, tmp_path)
    result = again.run(30, evaluation=plan)

    assert (result.steps, again.scores) == (4, {})
    assert result.stop_reason is not None


def test_the_best_weights_are_those_of_the_lowest_loss_however_small_the_gain(tokenizer: Tokenizer) -> None:
    result = Fit(tokenizer).run(6, evaluation=EvaluationPlan((1,), patience=9, min_delta=100.0, keep="best"))

    losses = {step: loss for step, loss, _ in result.evaluations}
    assert result.kept_step == min(losses, key=losses.__getitem__) > 1
    assert result.stop_reason is None


def test_patience_that_runs_out_at_the_last_step_ends_nothing_early(tokenizer: Tokenizer) -> None:
    result = Fit(tokenizer).run(4, evaluation=EvaluationPlan((2,), patience=1, min_delta=100.0))

    assert (result.steps, result.planned_steps, result.stop_reason) == (4, 4, None)


def test_evaluation_and_checkpoints_leave_the_training_as_it_was(
    tokenizer: Tokenizer, undisturbed: Callable[..., tuple[Fit, TrainingResult]], tmp_path: Path
) -> None:
    (plain, _), watched = undisturbed(dropout=0.3), Fit(tokenizer, tmp_path, dropout=0.3)
    watched.run(evaluation=EvaluationPlan(every_steps=(1,)))
    for one, other in zip(watched.weights(), plain.weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_a_checkpoint_of_other_sizes_names_layers_and_both_shapes(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        Fit(tokenizer, tmp_path).run(killed_after=3)
    with pytest.raises(
        CheckpointMismatchError,
        match=r"token_embedding/embeddings: checkpoint \(\d+, 16\), model \(\d+, 24\); .* and \d+ more\. "
        "It was made with other sizes",
    ):
        Fit(tokenizer, tmp_path, hidden_dim=24).run()


def test_a_weight_that_is_not_finite_is_never_saved(tokenizer: Tokenizer, tmp_path: Path) -> None:
    fit = Fit(tokenizer, tmp_path)

    def spoil() -> None:
        fit.backbone.layer_norm.beta.assign(keras.ops.full((16,), float("inf")))

    with pytest.raises(
        DivergedError,
        match=r"a weight is nan at optimizer step 4 \(epoch 2\), of 2 rows: .*The checkpoint of step 2 is kept\.",
    ):
        fit.run(callbacks=[At(4, spoil)], describe_row=lambda row: f"say\n  {row}")
    assert saved_steps(fit) == [2]


def test_rows_of_a_diverged_step_are_those_of_its_batch(tokenizer: Tokenizer) -> None:
    fit = Fit(tokenizer, learning_rate=1e30)
    with pytest.raises(DivergedError) as caught:
        fit.run()
    step = max(fit.scores) + 1 if fit.scores else 1
    epoch, index = divmod(step - 1, STEPS_PER_EPOCH)
    rows = sorted(fit.batches.examples_of(epoch, index))
    assert f"at optimizer step {step} (epoch {epoch + 1}), of 2 rows: {rows[0]}: '{rows[0]}'; {rows[1]}: " in str(
        caught.value
    )
