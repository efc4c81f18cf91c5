"""The ModelDownloader component: its parameters and output."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint
from pipeline.components.model_downloader.executor import Executor, Purpose
from publishing.settings import DownloadSettings

NODE_IDS = {Purpose.INITIAL_MODEL: "InitialModel", Purpose.BASELINE_MODEL: "BaselineModel"}


class ModelDownloaderSpec(ComponentSpec):
    """ModelDownloader's parameters and output."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "purpose": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),  # DownloadSettings as JSON
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012


class ModelDownloader(base_component.BaseComponent):
    """Downloads a model from a Hub repository; the node is called by its purpose, InitialModel or BaselineModel.

    The output `model` has the custom properties `repo_id` and `commit`. As an initial model it goes to Trainer as its
    `base_model`. As a baseline model it goes to Evaluator, and where nothing was published, its folder holds only
    `published.json`, which says so.
    """

    SPEC_CLASS = ModelDownloaderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, *, purpose: Purpose, settings: DownloadSettings) -> None:
        """Describes one download.

        Args:
          purpose: an initial model is the weights and the tokenizer of a revision; a baseline model is the SavedModel
            and the tokenizer of `main`.
          settings: where from. From cache, a branch would be what it was when it was downloaded first.
        """
        super().__init__(
            ModelDownloaderSpec(
                purpose=purpose.value,
                settings=settings.model_dump_json(),
                fingerprint=fingerprint(Executor.__module__),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
        self.with_id(NODE_IDS[purpose])
