"""The PublishedModel executor: reads parameters, downloads, records what it found."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from pipeline.components.hf_pusher.connection import connect_as_told
from pipeline.components.published_model.download import download_published

logger = logging.getLogger(__name__)

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Downloads what `main` of a repository serves."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Fills `model`.

        Args:
          input_dict: empty.
          output_dict: `model`.
          exec_properties: the parameters of `PublishedModelSpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(output_dict["model"])
        with connect_as_told(exec_properties) as hub:
            found = download_published(hub, exec_properties["repo_id"], Path(model.uri))
        logger.info("To compare with: %s", found)
        model.set_string_custom_property("repo_id", found.repo_id)
        if found.commit is not None:
            model.set_string_custom_property("commit", found.commit)
