"""Writes a DAG file for Airflow 3.

python -m pipeline.airflow --output dags/gpt2_alpaca.py --schedule "0 3 * * 1" [flags of local_runner.py]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.airflow.dag_file import TEMPLATE_MARK, DagParameter, DagSettings, dag_id, dag_text
from pipeline.config import PipelineConfig
from pipeline.config.sources import (
    ENVIRONMENT_PREFIX,
    fields,
    load_config,
    read_command_line,
    read_environment,
)
from pipeline.errors import PipelineError
from pipeline.local.failure import message_of
from pipeline.local.imports import heavy_imports

REPOSITORY = Path(__file__).parents[2]
# What each run of the DAG can choose, unless --parameter names other fields.
DEFAULT_PARAMETERS = ("data.path", "training.epochs", "training.learning_rate")


class DagFileError(PipelineError, ValueError):
    """A DAG file that cannot be made."""


def main(arguments: Sequence[str], environment: MutableMapping[str, str]) -> int:
    """Runs the command; returns its exit status."""
    options, flags = _parser().parse_known_args(arguments)
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")  # TensorFlow's INFO level
    try:
        config = load_config(flags, environment)
        settings = dag_settings(options, config, chosen_fields(flags, environment))
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(dag_text(settings, upstream(config)), encoding="utf-8")
    except (ValueError, OSError, PipelineError) as error:
        sys.stderr.write(f"{message_of(error, log=None)}\n")
        return 1
    sys.stdout.write(f"Wrote {options.output}: DAG {settings.dag_id}, {settings.schedule or 'no schedule'}.\n")
    return 0


def chosen_fields(flags: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the fields that flags and environment set, and to what: the DAG file carries them along."""
    return {**read_environment(environment).values, **read_command_line(flags).values}


def dag_settings(options: argparse.Namespace, config: PipelineConfig, chosen: Mapping[str, str]) -> DagSettings:
    """Returns the settings of the DAG file, besides the components.

    A field whose value is a Jinja template, such as ``/rows/{{ ds }}``, is rendered by Airflow for each run, so it
    cannot be a parameter as well.
    """
    templates = {name for name, value in chosen.items() if TEMPLATE_MARK in value}
    names = options.parameter or [name for name in DEFAULT_PARAMETERS if name not in templates]
    wrong = [name for name in names if name not in fields() or name in templates or name == "profile"]
    if wrong:
        raise DagFileError(
            "A parameter is a field of the configuration, other than the profile, whose value is no template. "
            f"Received: {', '.join(wrong)}. Write --parameter training.epochs; local_runner.py --help lists them."
        )
    return DagSettings(
        dag_id=options.dag_id or dag_id(config.pipeline_name),
        project=str(REPOSITORY),
        python=sys.executable,
        schedule=options.schedule,
        time_zone=options.time_zone,
        retries=options.retries,
        retry_delay_seconds=options.retry_delay_seconds,
        timeout_hours=options.timeout_hours,
        lock_wait_minutes=options.lock_wait_minutes,
        settings={variable(name): value for name, value in chosen.items() if name not in names},
        parameters=tuple(_parameter(name, config) for name in names),
    )


def upstream(config: PipelineConfig) -> dict[str, list[str]]:
    """Returns each component's id, in order, with those of the components that it waits for."""
    with heavy_imports():
        from pipeline.pipeline import create_pipeline

    components = create_pipeline(config).components
    return {component.id: sorted(other.id for other in component.upstream_nodes) for component in components}


def variable(name: str) -> str:
    """Returns the environment variable of a field."""
    return ENVIRONMENT_PREFIX + name.replace(".", "__").upper()


def _parameter(name: str, config: PipelineConfig) -> DagParameter:
    default: Any = config.model_dump(mode="json", by_alias=True)
    for key in name.split("."):
        default = default[key]
    return DagParameter(
        name=name.replace(".", "__"),
        variable=variable(name),
        default="none" if default is None else default,
        description=" ".join((fields()[name].description or "").split()),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.airflow",
        description="Writes a DAG file for Airflow 3: one task for each component. Other flags are local_runner.py's, "
        "and stay the same for every run; --data.path '/rows/{{ ds }}' is rendered anew for each.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--output", type=Path, required=True, help="the file to write, in Airflow's DAG folder")
    add("--dag-id", help="the DAG's id (the pipeline's name)")
    add("--schedule", help='cron expression, such as "0 3 * * 1"; without one, runs are started by hand')
    add("--time-zone", default="UTC", help="of the schedule (%(default)s)")
    add("--parameter", action="append", metavar="FIELD", help=f"setting that each run can choose; may be given again "
        f"({', '.join(DEFAULT_PARAMETERS)})")  # fmt: skip
    add("--retries", type=int, default=2, help="how often a failed component is tried again (%(default)s)")
    add("--retry-delay-seconds", type=int, default=60, help="before the first retry; doubles (%(default)s)")
    add("--timeout-hours", type=float, default=24.0, help="longest time that a component may take (%(default)s)")
    add("--lock-wait-minutes", type=float, help="longest wait of a component for another run's to end (720)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
