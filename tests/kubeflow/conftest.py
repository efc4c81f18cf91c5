"""A running server, and the commands that talk to it with the real kfp client."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.kubeflow.client import (
    Connection,
    KubeflowClient,
    connect,
)
from pipeline.kubeflow.commands import Context, add_commands, execute
from tests.kubeflow.kfp_server import KfpServer, serving
from tests.kubeflow.submitting import (
    NOW,
    OWNER,
    TOKEN,
    Command,
    written,
)


@pytest.fixture(scope="session")
def running_server() -> Iterator[tuple[KfpServer, str]]:
    server = KfpServer(token=TOKEN)
    with serving(server) as host:
        yield server, host


@pytest.fixture
def server(running_server: tuple[KfpServer, str]) -> KfpServer:
    server, _ = running_server
    server.reset()
    return server


@pytest.fixture
def kubeflow(server: KfpServer, running_server: tuple[KfpServer, str]) -> KubeflowClient:
    return connect(Connection(running_server[1], token=TOKEN, timeout_seconds=1))


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return written(tmp_path / "pipeline.yaml", image="trainer:1")


@pytest.fixture
def command(kubeflow: KubeflowClient, package: Path) -> Command:
    return command_of(kubeflow, package)


@pytest.fixture
def command_alone(package: Path) -> Command:
    """The commands, where nobody listens."""
    with serving(KfpServer()) as host:
        pass
    return command_of(connect(Connection(host, timeout_seconds=1)), package)


def command_of(kubeflow: KubeflowClient, package: Path) -> Command:
    def run(*arguments: str, owner: str = OWNER, package: Path = package) -> str:
        parser = argparse.ArgumentParser()
        add_commands(parser.add_subparsers())
        return execute(parser.parse_args(arguments), Context(kubeflow, owner, package, NOW))

    return run
