from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from modules.trainer import checkpoint_root
from pipeline.config import PipelineConfig
from pipeline.layout import pipeline_root
from pipeline.nodes.training import run_settings


def config(**training: Any) -> PipelineConfig:
    return PipelineConfig.model_validate({"training": training})


@pytest.mark.parametrize("chosen", [{"keep_weights": "best"}, {"early_stopping_patience": 2}])
def test_what_compares_evaluations_needs_some(chosen: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"Set training\.evaluate_every_steps or training\.evaluate_every_epoch"):
        config(**chosen)
    assert config(**chosen, evaluate_every_epoch=True)
    assert config(**chosen, evaluate_every_steps=5)


def test_checkpoints_go_into_a_folder() -> None:
    with pytest.raises(ValidationError, match=r"must be a folder\. Received: gs://bucket/checkpoints\."):
        config(checkpoint_dir="gs://bucket/checkpoints")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("checkpoint_every_steps", -1),
        ("keep_checkpoints", 0),
        ("evaluate_every_steps", -1),
        ("early_stopping_patience", -1),
        ("early_stopping_min_delta", -0.1),
        ("keep_weights", "first"),
        ("sample_every_steps", -1),
        ("sample_rows", 0),
        ("packing", "worst_fit"),
        ("learning_rate", 0),
        ("learning_rate", 11.0),
        ("batch_size", 0),
    ],
)
def test_values_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=rf"training\.{field}"):
        config(**{field: value})


def test_checkpoints_live_below_the_output_folder_and_only_where_it_lasts() -> None:
    place = run_settings(config()).checkpoints
    root = pipeline_root("output", PipelineConfig().pipeline_name)
    assert checkpoint_root(place, str(root / "Trainer/model_run/7")) == str(root / "checkpoints")
    assert run_settings(config(), ephemeral=True).checkpoints is None
    named = config(checkpoint_dir="/volume/checkpoints")
    assert run_settings(named, "/home", ephemeral=True).checkpoints == "/volume/checkpoints"
    assert "checkpoint_dir" not in run_settings(named).to_json()["training"]
