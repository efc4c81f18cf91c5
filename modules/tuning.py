"""Tuner's ``tuner_fn``: short trainings with other hyperparameters; the best evaluation loss wins.

Hyperparameters are called as the settings' fields, ``training.learning_rate``, so that Trainer can put the best ones
back where they belong (:mod:`modules.settings.run`). Every trial is a training as Trainer's own, without an export, on
the backend that is asked for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import keras_tuner
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.errors import FailedTrialError, FatalRuntimeError
from keras_tuner.oracles import BayesianOptimizationOracle, RandomSearchOracle

from modules.models.gpt2.tokenizer import save_tokenizer, train_tokenizer
from modules.processes import share_accelerators
from modules.settings.run import RunSettings, TunerSettings, initial_model_folder, with_values
from modules.settings.tuning import TuningSettings
from modules.training.backend import TrainingProcessError, train_in_subprocess
from modules.training.callbacks.divergence import DivergedError
from modules.training.memory import OutOfMemoryError
from modules.training.task import RowTexts, Trained, TrainingTask

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs
    from tfx.components.tuner.component import TunerFnResult

logger = logging.getLogger(__name__)

OBJECTIVE = "eval_loss"
LARGEST_LEARNING_RATE = 1.0
# What ends a trial, but says nothing against others.
TOO_MUCH = (DivergedError, OutOfMemoryError, TrainingProcessError)
# A trial ends early and keeps its best weights as the training would, but nobody looks in.
WITHOUT_SAMPLES = {"training.sample_every_steps": 0}

Evaluate = Callable[[Mapping[str, Any]], float]


class TuningError(FatalRuntimeError):
    """The search for hyperparameters cannot go on."""

    user_message = True


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Returns what TFX's Tuner is to run.

    Args:
        fn_args: TFX's; ``custom_config`` holds :class:`RunSettings`, and :class:`TunerSettings` beside them.
    """
    from tfx.components.tuner.component import TunerFnResult

    from modules.rows import read_rows

    share_accelerators()
    settings = RunSettings.from_custom_config(fn_args.custom_config)
    plan = TunerSettings.from_custom_config(fn_args.custom_config).tuning
    initial_model = initial_model_folder(fn_args.base_model)
    rows, eval_rows = read_rows(fn_args.train_files), read_rows(fn_args.eval_files)
    folder = Path(fn_args.working_dir)
    if not initial_model:
        settings = with_one_tokenizer(settings, rows, folder / "tokenizer")
    evaluate = trial_runner(settings, rows, eval_rows, plan, folder=folder, initial_model=initial_model)
    return TunerFnResult(tuner=TrialTuner(make_oracle(settings, plan), evaluate, folder=folder), fit_kwargs={})


def search_space(settings: RunSettings, plan: TuningSettings) -> keras_tuner.HyperParameters:
    """Returns what is varied, around what is configured, which is the default of each.

    Args:
        settings: of the run.
        plan: how to search.
    """
    training, space = settings.training, keras_tuner.HyperParameters()
    rate, span = training.learning_rate, plan.learning_rate_span
    if span > 1:
        space.Float(
            "training.learning_rate",
            rate / span,
            min(rate * span, LARGEST_LEARNING_RATE),
            sampling="log",
            default=rate,
        )
    for name, values, default in (
        ("training.batch_size", plan.batch_sizes, training.batch_size),
        ("training.lora_rank", plan.lora_ranks, training.lora_rank),
    ):
        choices = sorted({*values, default})
        if len(choices) > 1:
            space.Choice(name, choices, default=default)
    return space


def make_oracle(settings: RunSettings, plan: TuningSettings) -> keras_tuner.Oracle:
    """Returns what chooses the next trial's hyperparameters; the first trial is the configuration itself."""
    oracle = BayesianFromDefaults if plan.search == "bayesian" else RandomFromDefaults
    return oracle(
        objective=keras_tuner.Objective(OBJECTIVE, "min"),
        max_trials=plan.trials,
        seed=plan.seed,
        hyperparameters=search_space(settings, plan),
        allow_new_entries=False,
        tune_new_entries=False,
    )


class _FromDefaults:
    """Takes the defaults first: tuning never ends worse than the configuration did."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the values of a new trial, as KerasTuner asks for them."""
        oracle = cast(Any, self)
        if not oracle.trials:
            return {"status": TrialStatus.RUNNING, "values": dict(oracle.get_space().values)}
        return cast("dict[str, Any]", cast(Any, super()).populate_space(trial_id))


class RandomFromDefaults(_FromDefaults, RandomSearchOracle):
    """Random search."""


class BayesianFromDefaults(_FromDefaults, BayesianOptimizationOracle):
    """Bayesian optimisation: a Gaussian process over the trials so far."""


class TrialTuner(BaseTuner):
    """Runs one training per trial; says in the log, not on the terminal, what it does.

    Args:
        oracle: chooses the hyperparameters.
        evaluate: trains with them; gives the evaluation loss in nats.
        folder: where KerasTuner keeps its state.
    """

    def __init__(self, oracle: keras_tuner.Oracle, evaluate: Evaluate, *, folder: Path) -> None:
        super().__init__(oracle, directory=str(folder), project_name="trials", overwrite=True)
        self.evaluate = evaluate
        oracle.verbose = 0

    def run_trial(self, trial: Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Trains once.

        Raises:
            FailedTrialError: If these hyperparameters cannot be trained with.
            TuningError: If none could.
        """
        values, number = trial.hyperparameters.values, len(self.oracle.trials)
        begun = time.monotonic()
        logger.info("Trial %d of %d begins: %s", number, self.oracle.max_trials, described(values))
        try:
            loss = self.evaluate(values)
        except TOO_MUCH as error:
            logger.warning("Trial %d failed: %s", number, error)
            raise FailedTrialError(str(error)) from error
        except (ValueError, RuntimeError, OSError) as error:
            raise TuningError(f"A trial with {described(values)} could not run: {error}") from error
        logger.info("Trial %d: evaluation loss %.4f after %.0f s", number, loss, time.monotonic() - begun)
        return {OBJECTIVE: loss}

    def on_search_end(self) -> None:
        """Looks at what came of it.

        Raises:
            TuningError: If no trial ended well.
        """
        trials = list(self.oracle.trials.values())
        if not any(trial.status == TrialStatus.COMPLETED for trial in trials):
            raise TuningError(
                "At least one trial must end with a loss. "
                f"Received: {len(trials)} that failed, the last with {described(trials[-1].hyperparameters.values)}. "
                "Lower training.learning_rate or training.batch_size, which the search is around; the log has each."
            )

    def search_space_summary(self, extended: bool = False) -> None:
        """KerasTuner's would print."""
        logger.info("Search space: %s", [parameter.get_config() for parameter in self.oracle.get_space().space])

    def results_summary(self, num_trials: int = 10) -> None:
        """Writes the table of trials, best first, to the log."""
        for line in trial_table(self.oracle):
            logger.info("%s", line)


def trial_runner(
    settings: RunSettings,
    rows: RowTexts,
    eval_rows: RowTexts,
    plan: TuningSettings,
    *,
    folder: Path,
    initial_model: str | None = None,
    train: Callable[[TrainingTask], Trained] = train_in_subprocess,
) -> Evaluate:
    """Returns a function that trains for `plan`'s steps and gives the evaluation loss.

    Args:
        settings: of the run.
        rows: of the training split.
        eval_rows: of the evaluation split.
        plan: how to search.
        folder: for TensorBoard's files.
        initial_model: folder of the model to start from in place of ``model.preset``.
        train: trains once.
    """
    usual = settings.training.batch_size

    def evaluate(values: Mapping[str, Any]) -> float:
        # All trials see as many rows: with as many steps, the largest batch would win by having read most.
        steps = max(round(plan.steps_per_trial * usual / values.get("training.batch_size", usual)), 1)
        chosen = with_values(settings, {**WITHOUT_SAMPLES, **values, "training.max_steps": steps})
        task = TrainingTask(
            chosen,
            rows,
            eval_rows,
            log_dir=str(folder / "logs"),
            serving_model_dir=None,
            checkpoints=None,
            initial_model=initial_model,
        )
        return float(train(task).report[OBJECTIVE])

    return evaluate


def with_one_tokenizer(settings: RunSettings, rows: RowTexts, folder: Path) -> RunSettings:
    """Returns `settings` with the tokenizer that every trial would train anew."""
    model = settings.model
    if model.preset or model.tokenizer_path:
        return settings
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(train_tokenizer([*rows[0], *rows[1]], vocabulary_size=model.vocabulary_size), folder)
    return with_values(settings, {"model.tokenizer_path": str(folder)})


def described(values: Mapping[str, Any]) -> str:
    """Hyperparameters in a few words."""
    return ", ".join(f"{name.rpartition('.')[2]} {value:.4g}" for name, value in values.items())


def trial_table(oracle: keras_tuner.Oracle) -> list[str]:
    """Returns a line per trial: those with a loss, best first, then those that failed."""
    trials = sorted(oracle.trials.values(), key=lambda trial: trial.score if trial.score is not None else float("inf"))
    return [
        f"trial {trial.trial_id}: "
        + (f"eval loss {trial.score:.4f}" if trial.status == TrialStatus.COMPLETED else "failed")
        + f" · {described(trial.hyperparameters.values)}"
        for trial in trials
    ]
