"""The text of a DAG file for Airflow 3.

It imports Airflow and nothing of this project: each task is a command that runs in the project's own environment.
Settings reach that command through environment variables, which a shell does not interpret.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DAG_ID = re.compile(r"[^A-Za-z0-9._-]+")
TEMPLATE_MARK = "{{"


@dataclass(frozen=True)
class DagParameter:
    """A setting that each run of the DAG can choose."""

    name: str  # as a Python identifier: training__learning_rate
    variable: str  # that the project's command reads
    default: Any
    description: str


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
    return TEXT.format(
        documentation=_documentation(settings),
        project=json.dumps(settings.project),
        command=json.dumps(_command(settings)),
        check=json.dumps(f"exec {_quoted(settings.python)} -m pipeline.airflow.preflight"),
        settings=_mapping({**settings.settings, **_parameter_variables(settings.parameters)}),
        upstream=_mapping(upstream),
        dag_id=json.dumps(settings.dag_id),
        schedule=_schedule(settings),
        time_zone=json.dumps(settings.time_zone),
        retries=settings.retries,
        retry_delay_seconds=settings.retry_delay_seconds,
        timeout_hours=settings.timeout_hours,
        parameters=_parameters(settings.parameters),
    )


def dag_id(pipeline_name: str) -> str:
    """Returns a pipeline's name as Airflow takes it."""
    return DAG_ID.sub("-", pipeline_name)


def _documentation(settings: DagSettings) -> str:
    return f"{settings.dag_id}: made by python -m pipeline.airflow; make it anew instead of editing it."


def _command(settings: DagSettings) -> str:
    wait = "" if settings.lock_wait_minutes is None else f" --wait-minutes {settings.lock_wait_minutes:g}"
    return (
        f"exec {_quoted(settings.python)} -m pipeline.airflow.run_node "
        f'--node "$PIPELINE_NODE" --run-id "$PIPELINE_RUN_ID"{wait}'
    )


def _quoted(path: str) -> str:
    return "'" + path.replace("'", "'\\''") + "'"


def _schedule(settings: DagSettings) -> str:
    if settings.schedule is None:
        return "None"
    return f"CronTriggerTimetable({json.dumps(settings.schedule)}, timezone=TIME_ZONE)"


def _parameter_variables(parameters: tuple[DagParameter, ...]) -> dict[str, str]:
    return {parameter.variable: f"{{{{ params.{parameter.name} }}}}" for parameter in parameters}


def _parameters(parameters: tuple[DagParameter, ...]) -> str:
    lines = [
        f"{json.dumps(one.name)}: Param({_literal(one.default)}, type={_schema_type(one.default)}, "
        f"description={json.dumps(one.description, ensure_ascii=False)}),"
        for one in parameters
    ]
    return _block("{", lines, "}", "    ")


def _literal(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _schema_type(default: Any) -> str:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return json.dumps(next((name for kind, name in kinds if isinstance(default, kind)), "string"))


def _mapping(values: Mapping[str, Any]) -> str:
    lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in values.items()]
    return _block("{", lines, "}", "")


def _block(opening: str, lines: list[str], closing: str, indent: str) -> str:
    if not lines:
        return opening + closing
    return "\n".join([opening, textwrap.indent("\n".join(lines), indent + "    "), indent + closing])


TEXT = '''"""{documentation}"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronTriggerTimetable, Param

PROJECT = {project}
COMMAND = {command}
CHECK = {check}
TIME_ZONE = {time_zone}
# Secrets are not among them: the Hub's token comes from the worker's own environment.
SETTINGS = {settings}
# Each component, with those it waits for.
UPSTREAM = {upstream}

with DAG(
    dag_id={dag_id},
    description=__doc__,
    schedule={schedule},
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo(TIME_ZONE)),
    catchup=False,
    max_active_runs=1,
    default_args={{
        "retries": {retries},
        "retry_delay": timedelta(seconds={retry_delay_seconds}),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(hours=1),
        "execution_timeout": timedelta(hours={timeout_hours}),
        "cwd": PROJECT,
        "append_env": True,
    }},
    params={parameters},
    tags=["gpt2-alpaca-pipeline"],
):
    preflight = BashOperator(task_id="preflight", bash_command=CHECK, env=SETTINGS, retries=0)
    tasks = {{
        node: BashOperator(
            task_id=node,
            bash_command=COMMAND,
            env={{**SETTINGS, "PIPELINE_NODE": node, "PIPELINE_RUN_ID": "{{{{ run_id }}}}"}},
        )
        for node in UPSTREAM
    }}
    for node, others in UPSTREAM.items():
        tasks[node].set_upstream([tasks[other] for other in others] or preflight)
'''
