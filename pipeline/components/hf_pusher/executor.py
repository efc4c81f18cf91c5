"""The HFPusher executor: reads artifacts and settings, calls the publisher, records the result."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from pipeline.components.hf_pusher.findings import read_findings
from pipeline.components.hf_pusher.record import PublicationRecord, RecordedFile
from publishing.card.facts import Findings
from publishing.connection import connect
from publishing.settings import PublishSettings

if TYPE_CHECKING:
    from publishing.publication import Published, Signer

logger = logging.getLogger(__name__)

UNLICENSED = (
    "The model card claims no licence: the data came without one, and publish.license is not set. Set it, or name the "
    "data's in dataset.json beside the rows."
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
        settings = PublishSettings.model_validate_json(exec_properties["settings"])
        reason = _refusal(input_dict)
        if reason:
            logger.warning("Not published: %s", reason)
            refused = PublicationRecord(pushed=False, not_pushed_reason=reason, repo_id=settings.repo_id)
            _write_record(pushed_model, refused)
            return
        model = artifact_utils.get_single_instance(input_dict["model"])
        published = _publish(Path(model.uri), settings, read_findings(input_dict))
        _write_record(pushed_model, _record(published))


def _refusal(input_dict: Artifacts) -> str | None:
    """Returns why the model must not be published; None when nothing speaks against it."""
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


def _publish(model_folder: Path, settings: PublishSettings, found: Findings) -> Published:
    from publishing.publication import publication_of
    from publishing.publisher import publish

    publication = publication_of(model_folder, settings, found=found, signer=_signer(settings.signing_key_env))
    if publication.facts.claimed_license is None:
        logger.warning(UNLICENSED)
    with connect(settings) as hub:
        return publish(hub, publication, clock=lambda: datetime.now(UTC))


def _signer(variable: str | None) -> Signer | None:
    if variable is None:
        return None
    from publishing.signing import key_signer

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


def _write_record(pushed_model: types.Artifact, record: PublicationRecord) -> None:
    """Writes the record, and its outcome into the artifact's custom properties."""
    for key, value in record.properties.items():
        if isinstance(value, int):
            pushed_model.set_int_custom_property(key, value)
        else:
            pushed_model.set_string_custom_property(key, value)
    record.write(pushed_model.uri)
