"""The HFPusher component: its inputs, parameters and output."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.hf_pusher.executor import Executor
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from publishing.settings import PublishSettings


class HFPusherSpec(ComponentSpec):
    """HFPusher's inputs, parameters and output."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "settings": ExecutionParameter(type=str),  # PublishSettings as JSON
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        "data_blessing": ChannelParameter(type=DataBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }


class HFPusher(base_component.BaseComponent):
    """Publishes a model as a dated revision of a Hub repository, then the Space that answers from it.

    The output `pushed_model` has the custom properties `pushed` (0 or 1), `not_pushed_reason`,
    `already_published` (0 or 1), `on_main` (0 when a later publication took `main` meanwhile), `repo_id`,
    `revision`, `commit`, `url`, `space_repo_id`, `space_commit`, `space_url`, and TFX's own `pushed_destination`
    and `pushed_version`; its folder holds `publication.json` with all of that and the file manifest.

        settings = PublishSettings(repo_id="me/my-model", endpoint="https://huggingface.co")
        HFPusher(model=trainer.outputs["model"], settings=settings)

    Parameters:
      model: what to publish, from the Trainer.
      settings: where to, and how; see `publishing.settings`.
      model_blessing: the Evaluator's verdict; a model that is not blessed is not pushed.
      infra_blessing: the InfraValidator's verdict, likewise.
      evaluation: the Evaluator's result, whose record gives the card its metrics by slice.
      statistics: StatisticsGen's, which give it rows and lengths of the data.
      data_blessing: the DataGate's, which tells it what was found in the data and let through, and the licence and the
        data sets where the settings name none.
      fingerprint: from `fingerprint.publication_fingerprint`, for a publication from TFX's cache to be the right one;
        unless given, of the code alone, without the template's files.
    """

    SPEC_CLASS = HFPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        settings: PublishSettings,
        model_blessing: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        evaluation: types.BaseChannel | None = None,
        statistics: types.BaseChannel | None = None,
        data_blessing: types.BaseChannel | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Describes one publication; see the class."""
        super().__init__(
            HFPusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                evaluation=evaluation,
                statistics=statistics,
                data_blessing=data_blessing,
                settings=settings.model_dump_json(),
                fingerprint=fingerprint or publication_fingerprint(),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
