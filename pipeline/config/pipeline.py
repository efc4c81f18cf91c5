"""The whole configuration of a run."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, Field, ValidationInfo, model_validator

from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from modules.settings.model import ModelSettings
from modules.settings.training import TrainingSettings
from modules.settings.tuning import TuningSettings
from modules.settings.types import FROZEN, Text
from pipeline.config.cluster import BeamConfig, KubeflowConfig
from pipeline.config.data import DataConfig
from pipeline.config.evaluation import EvaluationConfig
from pipeline.config.publish import PublishConfig
from pipeline.config.rules import RULES
from pipeline.config.types import PipelineName


class PipelineConfig(BaseModel):
    """Turns instruction rows into a published chat model: data checks, training, publishing, in one TFX
    pipeline."""

    model_config = FROZEN

    profile: Text = "quickstart"
    """Profile to start from: a name in pipeline/profiles, or the path of a .toml file."""

    pipeline_name: PipelineName = "kerasnlp-gpt2-alpaca-pipeline"
    """Name under which TFX keeps the runs apart; letters, digits, `.`, `_`, `-`; at most 63."""

    output_dir: Text = "output"
    """Folder for everything a run makes: tfx/, metadata/, hub/, logs/."""

    enable_cache: bool = True
    """Reuse the results of components whose inputs, settings and code did not change: true or false."""

    data: DataConfig = Field(default_factory=DataConfig)
    """The rows to learn from."""

    model: ModelSettings = Field(default_factory=ModelSettings)
    """The network: a preset to fine-tune, or sizes for one from scratch."""

    training: TrainingSettings = Field(default_factory=TrainingSettings)
    """How the network is trained."""

    tuning: TuningSettings = Field(default_factory=TuningSettings)
    """The search for better hyperparameters, before training."""

    generation: GenerationSettings = Field(default_factory=GenerationSettings)
    """Defaults of the published model's decoding."""

    export: ExportSettings = Field(default_factory=ExportSettings)
    """The forms that a trained model is written in."""

    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)
    """When a model is good enough to be published."""

    publish: PublishConfig = Field(default_factory=PublishConfig)
    """Where the model and its demo go."""

    beam: BeamConfig = Field(default_factory=BeamConfig)
    """What processes the rows."""

    kubeflow: KubeflowConfig = Field(default_factory=KubeflowConfig)
    """How the pipeline runs on Kubeflow Pipelines."""

    @model_validator(mode="after")
    def _satisfies_rules(self, info: ValidationInfo) -> Self:
        if info.context and info.context.get("skip_rules"):
            return self
        broken = [problem for rule in RULES if (problem := rule.check(self))]
        if broken:
            raise ValueError("\n".join(broken))
        return self
