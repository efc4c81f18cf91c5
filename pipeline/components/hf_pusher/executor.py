"""The HFPusher executor: reads artifacts and parameters, calls the publisher, records the result."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from pipeline.components.hf_pusher.connection import connect

if TYPE_CHECKING:
    from pipeline.components.hf_pusher.publication import Publication, Published

logger = logging.getLogger(__name__)

RECORD_NAME = "publication.json"

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Publishes the model unless a validator refused it."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Publishes `model` and describes the result in `pushed_model`.

        Args:
          input_dict: `model`, and where given `model_blessing` and `infra_blessing`.
          output_dict: `pushed_model`.
          exec_properties: the parameters of `HFPusherSpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        reason = _refusal(input_dict)
        if reason:
            logger.warning("Not published: %s", reason)
            _record(
                pushed_model,
                {"pushed": 0, "not_pushed_reason": reason, "repo_id": exec_properties["repo_id"]},
            )
            return
        model = artifact_utils.get_single_instance(input_dict["model"])
        published = _publish(Path(model.uri), exec_properties)
        _record(pushed_model, _properties(published))
        _write_record(Path(pushed_model.uri), published)


def _refusal(input_dict: Artifacts) -> str | None:
    """Why the model must not be published; None when nothing speaks against it."""
    for key, is_blessed, judge in (
        ("model_blessing", model_utils.is_model_blessed, "the evaluation did not bless the model"),
        (
            "infra_blessing",
            model_utils.is_infra_validated,
            "the model did not pass infrastructure validation",
        ),
    ):
        blessings = input_dict.get(key)
        if blessings and not is_blessed(artifact_utils.get_single_instance(blessings)):
            reason = artifact_utils.get_single_instance(blessings).get_string_custom_property("reason")
            return f"{judge}: {reason}" if reason else judge
    return None


def _publish(model_folder: Path, properties: Mapping[str, Any]) -> Published:
    from pipeline.components.hf_pusher.publisher import publish

    publication = _publication(model_folder, properties)
    with connect(
        endpoint=properties["endpoint"],
        token_env=properties["token_env"],
        storage_dir=properties.get("storage_dir"),
        local_port=properties.get("local_port"),
    ) as hub:
        return publish(hub, publication, clock=lambda: datetime.now(UTC))


def _publication(model_folder: Path, properties: Mapping[str, Any]) -> Publication:
    from pipeline.components.hf_pusher.publication import SpaceTarget, publication_of

    space, visibility = None, properties.get("space_private")
    if properties.get("space_repo_id"):
        space = SpaceTarget(
            repo_id=properties["space_repo_id"],
            template=Path(properties["space_template"]),
            private=None if visibility is None else bool(visibility),
            hardware=properties.get("space_hardware"),
            values=json.loads(properties.get("space_values") or "{}"),
        )
    return publication_of(
        model_folder,
        repo_id=properties["repo_id"],
        license=properties["license"],
        endpoint=properties["endpoint"],
        private=bool(properties["private"]),
        exports=properties["exports"].split(","),
        keep_revisions=properties["keep_revisions"],
        space=space,
    )


def _properties(published: Published) -> dict[str, str | int]:
    properties: dict[str, str | int] = {
        "pushed": 1,
        "already_published": int(published.already_published),
        "on_main": int(published.on_main),
        "repo_id": published.repo_id,
        "revision": published.revision,
        "commit": published.commit,
        "url": published.url,
        "pushed_destination": published.url,
        "pushed_version": published.revision,
    }
    if published.space is not None:
        properties["space_repo_id"] = published.space.repo_id
        properties["space_commit"] = published.space.commit
        properties["space_url"] = published.space.url
    return properties


def _record(artifact: types.Artifact, properties: Mapping[str, str | int]) -> None:
    for key, value in properties.items():
        if isinstance(value, int):
            artifact.set_int_custom_property(key, value)
        else:
            artifact.set_string_custom_property(key, value)


def _write_record(folder: Path, published: Published) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files = {file.path: {"size": file.size_bytes, "sha256": file.sha256} for file in published.plan.files}
    record: dict[str, Any] = {**_properties(published), "main_commit": published.main_commit}
    record |= {"deleted_revisions": list(published.deleted_revisions), "files": files}
    (folder / RECORD_NAME).write_text(json.dumps(record, indent=2) + "\n")
