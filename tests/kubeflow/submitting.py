"""What the tests of the client submit, and what that sends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import yaml

TOKEN = "eyJ-not-for-anybody"
OWNER = "kerasnlp-gpt2-alpaca-pipeline"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PARAMETERS = {
    "train-pattern": {"parameterType": "STRING", "defaultValue": "*-train*"},
    "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 1},
    "learning-rate": {"parameterType": "NUMBER_DOUBLE", "isOptional": True},
}
NEW_VERSION = [
    ("POST", "/apis/v2beta1/pipelines"),
    ("POST", "/apis/v2beta1/pipelines/upload_version"),
    ("POST", "/apis/v2beta1/experiments"),
]
CREATE_RUN = ("POST", "/apis/v2beta1/runs")
CREATE_SCHEDULE = ("POST", "/apis/v2beta1/recurringruns")
DELETE_SCHEDULE = ("DELETE", "/apis/v2beta1/recurringruns/ID")

Command = Callable[..., str]


def written(path: Path, *, image: str) -> Path:
    specification = {
        "pipelineInfo": {"name": OWNER},
        "root": {"inputDefinitions": {"parameters": PARAMETERS}},
        "deploymentSpec": {"executors": {"Trainer": {"container": {"image": image}}}},
    }
    path.write_text(yaml.safe_dump(specification), encoding="utf-8")
    return path


def only(table: dict[str, dict[str, object]]) -> dict[str, object]:
    (record,) = table.values()
    return record
