"""The nodes that prepare the rows and train: Transform, Tuner and Trainer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tfx.components import Trainer, Transform, Tuner
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel

from modules.fingerprint import fingerprint, reference_fingerprint
from modules.settings.rows import PreprocessingSettings, RowSettings
from modules.settings.run import RunSettings, TunerSettings
from pipeline.components.data_gate.component import DataGate
from pipeline.components.evaluator.baseline import MODEL
from pipeline.components.model_downloader.component import ModelDownloader
from pipeline.config import PipelineConfig
from pipeline.config.data import DataConfig
from pipeline.layout import CHECKPOINTS, absolute
from pipeline.nodes.data import DescribedData
from pipeline.nodes.models import custom_code_fingerprint, located_model


@dataclass(frozen=True)
class TrainingInputs:
    """The channels that Tuner and Trainer both read.

    Attributes:
        examples: the transformed rows.
        transform_graph: how they were transformed.
        schema: of the rows before that.
        base_model: the initial model, if it is downloaded.
    """

    examples: BaseChannel
    transform_graph: BaseChannel
    schema: BaseChannel
    base_model: BaseChannel | None

    def arguments(self) -> dict[str, Any]:
        """Returns the arguments that Tuner and Trainer have in common."""
        return {
            **vars(self),
            "train_args": trainer_pb2.TrainArgs(splits=["train"]),
            "eval_args": trainer_pb2.EvalArgs(splits=["eval"]),
        }


def make_transform(config: PipelineConfig, data: DescribedData, gate: DataGate) -> Transform:
    """Returns the node that makes prompts and responses of the rows, once `gate` let them pass."""
    settings = PreprocessingSettings(
        kind=config.data.kind,
        prompt_format=config.data.prompt_format,
        fingerprint=fingerprint("modules.preprocessing") + custom_code_fingerprint(config),
    )
    transform = Transform(
        examples=data.examples,
        schema=data.schema,
        preprocessing_fn="modules.preprocessing.preprocessing_fn",
        custom_config=settings.model_dump(mode="json"),
        # StatisticsGen has described the rows, and preprocessing computes nothing over them all that could be
        # reused.
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(gate)
    return transform


def training_inputs(data: DescribedData, transform: Transform, initial_model: ModelDownloader | None) -> TrainingInputs:
    """Returns the channels that Tuner and Trainer both read."""
    return TrainingInputs(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=data.schema,
        base_model=initial_model.outputs[MODEL] if initial_model else None,
    )


def make_tuner(config: PipelineConfig, inputs: TrainingInputs, project_dir: str) -> Tuner:
    """Returns the node that searches for the hyperparameters that Trainer uses."""
    settings = run_settings(config, project_dir, ephemeral=True)  # a trial leaves no checkpoints
    search = TunerSettings(tuning=config.tuning, code=fingerprint("modules.tuning"))
    return Tuner(
        **inputs.arguments(),
        tuner_fn="modules.tuning.tuner_fn",
        custom_config=settings.to_json() | search.to_json(),
    )


def make_trainer(
    config: PipelineConfig, inputs: TrainingInputs, *, tuner: Tuner | None, project_dir: str, ephemeral: bool
) -> Trainer:
    """Returns the node that trains, and exports what it trained.

    Args:
        config: of the pipeline.
        inputs: what it reads.
        tuner: the node that searched for hyperparameters; None to use the configured ones.
        project_dir: folder of this project where Trainer will run.
        ephemeral: as of :func:`run_settings`.
    """
    return Trainer(
        **inputs.arguments(),
        run_fn="modules.trainer.run_fn",
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        custom_config=run_settings(config, project_dir, ephemeral=ephemeral).to_json(),
    )


def run_settings(config: PipelineConfig, project_dir: str = "", *, ephemeral: bool = False) -> RunSettings:
    """Returns Trainer's settings: paths made absolute, with a hash of the code and of the folders they name.

    Args:
        config: what to train.
        project_dir: folder of this project where Trainer will run.
        ephemeral: whether that is a machine that keeps nothing: there are checkpoints only in a folder that was
            named for them.
    """
    model, hashes = located_model(config.model, project_dir)
    return RunSettings(
        data=RowSettings(
            kind=config.data.kind,
            prompt_format=config.data.prompt_format,
            max_dropped=_max_dropped(config.data),
        ),
        model=model,
        training=config.training,
        generation=config.generation,
        export=config.export,
        checkpoints=_checkpoint_dir(config.training.checkpoint_dir, project_dir, ephemeral=ephemeral),
        fingerprint=_training_fingerprint(config, hashes),
    )


def _training_fingerprint(config: PipelineConfig, folder_hashes: list[str]) -> str:
    """Returns a hash of the training's code, the user's own code, and the folders that the model is read from."""
    own = custom_code_fingerprint(config) + reference_fingerprint([*config.export.extra, *config.training.callbacks])
    code = "".join([fingerprint("modules.trainer"), *folder_hashes, own])
    return hashlib.sha256(code.encode()).hexdigest()


def _checkpoint_dir(configured: str | None, project_dir: str, *, ephemeral: bool) -> str | None:
    if configured is not None:
        return absolute(configured, project_dir)
    return None if ephemeral else CHECKPOINTS  # an absolute path would keep a moved output folder from being a cache


def _max_dropped(data: DataConfig) -> float:
    return 1.0 if "dropped" in data.allow_anomalies else data.max_dropped
