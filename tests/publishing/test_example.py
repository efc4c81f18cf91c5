from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
from tfx.orchestration.local.local_dag_runner import LocalDagRunner

from hub import server
from tests.publishing.publications import hub_at

EXAMPLE = Path(__file__).parents[2] / "examples" / "publish_a_model.py"


def test_the_example_pipeline_publishes_a_model(
    model_folder: Path, tmp_path: Path, direct_client: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server.running(tmp_path / "remote", port=0) as endpoint:
        monkeypatch.setenv("HF_TOKEN", "t")
        example = runpy.run_path(str(EXAMPLE))
        LocalDagRunner().run(example["create_pipeline"](str(model_folder), tmp_path, endpoint))

        record = json.loads(next((tmp_path / "tfx").rglob("publication.json")).read_text())
        assert hub_at(endpoint).branches("local/my-model", repo_type="model")[record["revision"]] == record["commit"]
