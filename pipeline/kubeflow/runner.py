"""kubeflow_runner.py's command, from its arguments to its exit status."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig
from pipeline.config.sources import ConfigError, load_config
from pipeline.errors import PipelineError
from pipeline.kubeflow import checks
from pipeline.kubeflow.parameters import parameter_name
from publishing.errors import numbered

if TYPE_CHECKING:
    from pipeline.kubeflow.client import Connection

logger = logging.getLogger(__name__)

DEFAULT_OUTPUT = "pipeline.yaml"
EPILOG = "Every field of the configuration is a flag as well: see python local_runner.py --help."


class DeploymentError(PipelineError):
    """A configuration that compiles but would be useless on a cluster."""


def run_command(arguments: Sequence[str], environment: MutableMapping[str, str]) -> int:
    """Reads the command and the configuration, and carries it out.

    Args:
        arguments: command line without the program's name.
        environment: such as ``os.environ``; TensorFlow, where nothing else is said, is told to be quiet in it.

    Returns:
        The exit status.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    # It tells of every connection that is tried again; what came of it is in the one message of `client.py`. kfp sets
    # the level of `urllib3` itself.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    options, rest = command_parser().parse_known_args(arguments)
    try:
        config = load_config(rest, environment)
        if options.command == "compile":
            answer = _compile(config, Path(options.output), list(arguments))
        else:
            answer = _run_client_command(options, config, environment)
        sys.stdout.write(f"{answer}\n")
    except (ConfigError, PipelineError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def command_parser() -> argparse.ArgumentParser:
    """Returns the commands with their own options; what it does not know belongs to the configuration."""
    from pipeline.kubeflow.commands import add_commands

    parser = argparse.ArgumentParser(prog="kubeflow_runner.py", epilog=EPILOG, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    purpose = "Write the pipeline as a file for Kubeflow Pipelines"
    compiling = commands.add_parser("compile", help=purpose, description=purpose, epilog=EPILOG, allow_abbrev=False)
    compiling.add_argument("--output", default=DEFAULT_OUTPUT, help="file to write, .yaml (%(default)s)")
    add_commands(commands)
    return parser


def _compile(config: PipelineConfig, output: Path, arguments: list[str]) -> str:
    if output.suffix not in (".yaml", ".yml"):
        raise checks.CompileError(f"Kubeflow reads YAML. Received: --output {output}. Name a file that ends in .yaml.")
    _write(config, output, arguments)
    problems = checks.deployment_problems(config)
    if problems:
        logger.warning(numbered("Compiled, but not fit for a cluster", problems))
    return f"Wrote {output}."


def _write(config: PipelineConfig, output: Path, arguments: list[str]) -> None:
    """Imports TFX only here, so that wrong settings are refused within a second."""
    checks.check(config)
    from pipeline.kubeflow.compile import command_line, compile_pipeline, write_package

    write_package(compile_pipeline(config), output, command=command_line(arguments))


def _run_client_command(options: argparse.Namespace, config: PipelineConfig, environment: Mapping[str, str]) -> str:
    """Has one of the other commands carried out, with a pipeline compiled for it where it needs one."""
    from pipeline.kubeflow.client import connect
    from pipeline.kubeflow.commands import Context, execute, needs_package

    now = datetime.now(UTC)
    kubeflow = connect(connection(config, environment))
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / DEFAULT_OUTPUT
        if needs_package(options):
            _check(options, config, now)
            _write(config, package, [options.command])
        return execute(options, Context(kubeflow, config.pipeline_name, package, now))


def _check(options: argparse.Namespace, config: PipelineConfig, now: datetime) -> None:
    """Looks for everything that would make `submit` or `schedule` fail later, before TFX is imported.

    Raises:
        DeploymentError: With all problems at once.
    """
    from pipeline.kubeflow.commands import option_problems

    names = [parameter_name(field) for field in config.kubeflow.parameters]
    problems = [
        *option_problems(options, parameters=names, now=now),
        *checks.compile_problems(config),
        *checks.deployment_problems(config),
    ]
    if problems:
        raise DeploymentError(numbered("Nothing was submitted", problems))


def connection(config: PipelineConfig, environment: Mapping[str, str]) -> Connection:
    """Returns the connection to Kubeflow, with the secrets that the environment holds."""
    from pipeline.kubeflow.client import Connection

    settings = config.kubeflow
    return Connection(
        host=settings.endpoint,
        namespace=settings.namespace,
        token=environment.get(settings.api_token_env) or None,
        token_env=settings.api_token_env,
        cookies=environment.get(settings.api_cookies_env) or None,
        token_path=settings.api_token_file,
        ca_file=settings.ca_file,
        timeout_seconds=settings.api_timeout_seconds,
    )
