"""The whole pipeline with training on JAX: what comes out is what TensorFlow's training gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Place, free_port


@pytest.mark.timeout(3600)  # a whole run, whose Trainer compiles with XLA
def test_the_pipeline_publishes_what_was_trained_on_jax(tmp_path: Path) -> None:
    place = Place(tmp_path / "output", free_port())
    finished = place.run_process(training__backend="jax")
    assert finished.status == 0, finished.err
    assert "training step 3/3" in finished.err, "the progress of the other process"
    (model,) = (place.root / "Trainer" / "model").iterdir()
    assert (model / "Format-Serving" / "saved_model.pb").is_file()
    for name in ("keras", "transformers", "ctranslate2"):
        assert (model / "exports" / name / "config.json").is_file()
    report = json.loads((model / "exports" / "training.json").read_text(encoding="utf-8"))
    assert report["training"]["backend"] == "jax"
    assert report["steps"] == 3
    assert list((place.root / "HFPusher").rglob("*")) != []
