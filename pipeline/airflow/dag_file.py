"""Writes the text of a DAG file for Airflow 3, from `templates/dag.py.j2`.

It imports Airflow and nothing of this project: each task is a command that runs in the project's own environment.
Settings reach that command through environment variables, which a shell does not interpret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")
DAG_ID = re.compile(r"[^A-Za-z0-9._-]+")
TEMPLATE_MARK = "{{"


@dataclass(frozen=True)
class DagParameter:
    """A setting that each run of the DAG can choose."""

    name: str  # as a Python identifier: training__learning_rate
    variable: str  # that the project's command reads
    default: Any
    description: str

    @property
    def schema_type(self) -> str:
        """Returns the default's type, as JSON Schema names it."""
        names = ((bool, "boolean"), (int, "integer"), (float, "number"))
        return next((name for kind, name in names if isinstance(self.default, kind)), "string")


@dataclass(frozen=True)
class DagSettings:
    """Settings by which Airflow runs the pipeline."""

    dag_id: str
    project: str  # absolute path of the repository
    python: str  # absolute path of its interpreter
    schedule: str | None = None  # cron; None for runs by hand only
    time_zone: str = "UTC"
    retries: int = 2
    retry_delay_seconds: int = 60
    timeout_hours: float = 24.0
    lock_wait_minutes: float | None = None  # None for the command's own default
    settings: Mapping[str, str] = field(default_factory=dict)  # fixed for all runs, by variable; Jinja is rendered
    parameters: tuple[DagParameter, ...] = ()


def dag_text(settings: DagSettings, upstream: Mapping[str, list[str]]) -> str:
    """Returns the DAG file.

    Args:
        settings: how to run it.
        upstream: each component's id, with those of the components that it waits for.
    """
    template = _environment().get_template("dag.py.j2")
    return template.render(
        settings=settings,
        command=_command(settings),
        check=f"exec {_quoted(settings.python)} -m pipeline.airflow.preflight",
        variables={**settings.settings, **_parameter_variables(settings.parameters)},
        upstream=upstream,
    )


def dag_id(pipeline_name: str) -> str:
    """Returns a pipeline's name as Airflow takes it."""
    return DAG_ID.sub("-", pipeline_name)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"json": json.dumps, "literal": _literal}
    return environment


def _command(settings: DagSettings) -> str:
    wait = "" if settings.lock_wait_minutes is None else f" --wait-minutes {settings.lock_wait_minutes:g}"
    return (
        f"exec {_quoted(settings.python)} -m pipeline.airflow.run_node "
        f'--node "$PIPELINE_NODE" --run-id "$PIPELINE_RUN_ID"{wait}'
    )


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"


def _parameter_variables(parameters: tuple[DagParameter, ...]) -> dict[str, str]:
    return {parameter.variable: f"{{{{ params.{parameter.name} }}}}" for parameter in parameters}


def _literal(value: Any) -> str:
    """Returns a default as Python writes it, texts in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
