"""The HFPusher executor: reads artifacts and parameters, calls the publisher, records the result."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from data.origin import MANIFEST
from pipeline.components.hf_pusher.card_facts import Findings
from pipeline.components.hf_pusher.connection import connect_as_told
from pipeline.components.hf_pusher.findings import read_findings
from pipeline.components.hf_pusher.record import PublicationRecord, RecordedFile

if TYPE_CHECKING:
    from pipeline.components.hf_pusher.publication import Publication, Published, Signer

logger = logging.getLogger(__name__)

LICENSE_OF_DATA = "none"  # the parameter `license` unless one was told; Kubeflow has no absent parameters
UNLICENSED = (
    "The model card claims no licence: the data came without one, and publish.license is not set. Set it, or name the "
    "data's in %s beside the rows."
)

Artifacts = dict[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Publishes the model unless a validator refused it."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Publishes `model` and describes the result in `pushed_model`.

        Args:
          input_dict: `model`, and where given `model_blessing`, `infra_blessing`, `evaluation`, `statistics` and
            `data_blessing`.
          output_dict: `pushed_model`.
          exec_properties: the parameters of `HFPusherSpec`.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict["pushed_model"])
        reason = _refusal(input_dict)
        if reason:
            logger.warning("Not published: %s", reason)
            refused = PublicationRecord(pushed=False, not_pushed_reason=reason, repo_id=exec_properties["repo_id"])
            _leave(pushed_model, refused)
            return
        model = artifact_utils.get_single_instance(input_dict["model"])
        published = _publish(Path(model.uri), exec_properties, read_findings(input_dict))
        _leave(pushed_model, _record(published))


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


def _publish(model_folder: Path, properties: Mapping[str, Any], found: Findings) -> Published:
    from pipeline.components.hf_pusher.publisher import publish

    publication = _publication(model_folder, properties, found)
    if publication.facts.claimed_license is None:
        logger.warning(UNLICENSED, MANIFEST)
    with connect_as_told(properties) as hub:
        return publish(hub, publication, clock=lambda: datetime.now(UTC))


def _publication(model_folder: Path, properties: Mapping[str, Any], found: Findings) -> Publication:
    from pipeline.components.hf_pusher.publication import SpaceTarget, publication_of

    space, visibility = None, properties.get("space_private")
    key_variable, datasets = properties.get("signing_key_env"), properties.get("datasets")
    if properties.get("space_repo_id"):
        space = SpaceTarget(
            repo_id=properties["space_repo_id"],
            template=Path(properties["space_template"]),
            sdk=properties.get("space_sdk"),
            private=None if visibility is None else bool(visibility),
            hardware=properties.get("space_hardware"),
            values=json.loads(properties.get("space_values") or "{}"),
        )
    return publication_of(
        model_folder,
        repo_id=properties["repo_id"],
        license=None if properties["license"] == LICENSE_OF_DATA else properties["license"],
        endpoint=properties["endpoint"],
        private=bool(properties["private"]),
        exports=properties["exports"].split(","),
        keep_revisions=properties["keep_revisions"],
        space=space,
        datasets=datasets.split(",") if datasets else (),
        found=found,
        signer=_signer(key_variable) if key_variable else None,
    )


def _signer(variable: str) -> Signer:
    from pipeline.components.hf_pusher.signing import key_signer

    return key_signer(os.environ, variable=variable)


def _record(published: Published) -> PublicationRecord:
    space = published.space
    files = {file.path: RecordedFile(size=file.size_bytes, sha256=file.sha256) for file in published.plan.files}
    return PublicationRecord(
        pushed=True,
        already_published=published.already_published,
        on_main=published.on_main,
        repo_id=published.repo_id,
        revision=published.revision,
        commit=published.commit,
        url=published.url,
        pushed_destination=published.url,
        pushed_version=published.revision,
        space_repo_id=space.repo_id if space else None,
        space_commit=space.commit if space else None,
        space_url=space.url if space else None,
        main_commit=published.main_commit,
        deleted_revisions=published.deleted_revisions,
        files=files,
    )


def _leave(pushed_model: types.Artifact, record: PublicationRecord) -> None:
    """Writes the record, and its outcome into the artifact's custom properties."""
    for key, value in record.properties.items():
        if isinstance(value, int):
            pushed_model.set_int_custom_property(key, value)
        else:
            pushed_model.set_string_custom_property(key, value)
    record.write(pushed_model.uri)
