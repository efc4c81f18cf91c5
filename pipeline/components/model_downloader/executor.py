"""The ModelDownloader executor: reads settings, downloads, records what it found."""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from publishing.connection import connect
from publishing.downloads import Download, download_baseline, download_initial_model
from publishing.settings import DownloadSettings

if TYPE_CHECKING:
    from publishing.hub_client import Hub

logger = logging.getLogger(__name__)

Artifacts = dict[str, list[types.Artifact]]


class Purpose(Enum):
    """The purpose that a model is downloaded for."""

    INITIAL_MODEL = "initial_model"
    BASELINE_MODEL = "baseline_model"


class Executor(base_executor.BaseExecutor):
    """Downloads a model, laid out as Trainer's."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Fills `model`.

        Args:
          input_dict: empty.
          output_dict: `model`.
          exec_properties: the parameters of `ModelDownloaderSpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        settings = DownloadSettings.model_validate_json(exec_properties["settings"])
        with connect(settings) as hub:
            found = _download(hub, Purpose(exec_properties["purpose"]), settings, Path(model.uri))
        logger.info("Downloaded for the %s: %s", exec_properties["purpose"], found)
        model.set_string_custom_property("repo_id", found.repo_id)
        if found.commit is not None:
            model.set_string_custom_property("commit", found.commit)


def _download(hub: Hub, purpose: Purpose, settings: DownloadSettings, folder: Path) -> Download:
    if purpose is Purpose.BASELINE_MODEL:
        return download_baseline(hub, settings.repo_id, folder)
    return download_initial_model(hub, settings.repo_id, revision=settings.revision, folder=folder)
