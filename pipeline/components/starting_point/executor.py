"""The StartingPoint executor: reads parameters, downloads, records what it found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from pipeline.components.hf_pusher.connection import connect_as_told
from pipeline.components.starting_point.download import download_start

logger = logging.getLogger(__name__)

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Downloads what a training starts from."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Fills `model`.

        Args:
          input_dict: empty.
          output_dict: `model`.
          exec_properties: the parameters of `StartingPointSpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        repo_id = exec_properties["repo_id"]
        with connect_as_told(exec_properties) as hub:
            commit = hub.commit_of(repo_id, revision=exec_properties["revision"])
            files = download_start(hub, repo_id, commit=commit, folder=Path(model.uri))
        logger.info("Training starts from %s at %s: %s", repo_id, commit, ", ".join(files))
        model.set_string_custom_property("repo_id", repo_id)
        model.set_string_custom_property("commit", commit)
