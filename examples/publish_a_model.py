"""Publishes a model that is there already, with HFPusher alone. Any TFX pipeline ends the same way.

Runs wherever `gpt2-alpaca-pipeline[hub,tfx]` is installed; nothing of this repository needs to be on the path.

python examples/publish_a_model.py MODEL_FOLDER WORK_FOLDER [ENDPOINT]
"""

from __future__ import annotations

import sys
from pathlib import Path

from tfx.dsl.components.common.importer import Importer
from tfx.orchestration import metadata
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.orchestration.pipeline import Pipeline
from tfx.types import standard_artifacts

from pipeline.components.hf_pusher.component import HFPusher
from publishing.settings import PublishSettings


def create_pipeline(model: str, work: Path, endpoint: str) -> Pipeline:
    trained = Importer(source_uri=model, artifact_type=standard_artifacts.Model).with_id("trained")
    settings = PublishSettings(
        repo_id="local/my-model",
        endpoint=endpoint,  # https://huggingface.co takes the token from HF_TOKEN
        storage_dir=str(work / "hub"),
    )
    pusher = HFPusher(model=trained.outputs["result"], settings=settings)
    store = metadata.sqlite_metadata_connection_config(str(work / "metadata.db"))
    return Pipeline("publish", str(work / "tfx"), components=[trained, pusher], metadata_connection_config=store)


if __name__ == "__main__":
    model, work, *endpoint = sys.argv[1:]
    LocalDagRunner().run(create_pipeline(model, Path(work), *(endpoint or ["local"])))
