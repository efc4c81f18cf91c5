"""The node that publishes a model that everything before it let through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tfx.types import BaseChannel

from modules.models.families import find_family
from pipeline.components.hf_pusher.component import HFPusher
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from pipeline.config import PipelineConfig
from pipeline.layout import absolute
from pipeline.nodes.models import embedded_hub_dir


def make_pusher(
    config: PipelineConfig, model: BaseChannel, findings: Mapping[str, BaseChannel], project_dir: str
) -> HFPusher:
    """Returns the node that publishes `model`.

    Args:
        config: of the pipeline.
        model: of the Trainer.
        findings: HFPusher's optional inputs, by name: verdicts that must let the model pass, and what the card reports.
        project_dir: folder of this project where HFPusher will run.
    """
    publish, template = config.publish, config.publish.space_template
    return HFPusher(
        model=model,
        **findings,
        settings=publish.settings(
            storage_dir=embedded_hub_dir(config, project_dir),
            space_template=absolute(template, project_dir),
            family=find_family(config.model.family),
        ),
        fingerprint=publication_fingerprint(Path(absolute(template)) if publish.space else None),
    )
