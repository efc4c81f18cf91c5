"""What is refused before anything is compiled, and what only a cluster cannot use."""

from __future__ import annotations

import pytest

from pipeline.config.sources import load_config
from pipeline.kubeflow.checks import CompileError, check, deployment_problems, quantity


@pytest.mark.parametrize(
    ("text", "number"), [("500m", 0.5), ("2", 2), ("1.5", 1.5), ("1Gi", 2**30), ("8G", 8e9), ("512Mi", 2**29)]
)
def test_quantities_are_read_as_kubernetes_means_them(text: str, number: float) -> None:
    assert quantity(text) == number


def test_all_problems_are_told_together() -> None:
    config = load_config(
        [
            *("--pipeline-name", "My.Pipeline"),
            *("--kubeflow.parameters", "publish.token_env"),
            *("--kubeflow.cpu-request", "8", "--kubeflow.trainer-memory-request", "64Gi"),
        ],
        {},
    )

    with pytest.raises(CompileError) as raised:
        check(config)

    message = str(raised.value)
    assert message.startswith("The pipeline was not compiled: 4 problems.")
    assert "lower-case letters, digits and `-` on Kubeflow" in message
    assert "Received: 'publish.token_env'. Take some of data.path, publish.repo_id" in message
    assert "kubeflow.cpu_request cannot exceed kubeflow.cpu_limit. Received: 8 and 4." in message
    assert (
        "kubeflow.trainer_memory_request cannot exceed kubeflow.trainer_memory_limit. Received: 64Gi and 32Gi."
        in message
    )


def test_the_defaults_compile() -> None:
    check(load_config([], {}))


def test_a_cluster_cannot_publish_to_the_embedded_hub() -> None:
    (problem,) = deployment_problems(load_config([], {}))

    assert "gone with the pod" in problem


def test_a_cluster_can_publish_elsewhere_or_not_at_all() -> None:
    elsewhere = [
        *("--publish.endpoint", "https://huggingface.co"),
        *("--publish.repo-id", "me/a", "--publish.space-repo-id", "me/b"),
    ]

    assert deployment_problems(load_config(elsewhere, {})) == []
    (unsigned,) = deployment_problems(load_config([*elsewhere, "--publish.signing-key-env", "SIGNING_KEY"], {}))
    assert unsigned.startswith("A pod has no file with a private key. Received: publish.signing_key_env = SIGNING_KEY.")
    assert deployment_problems(load_config(["--publish.enabled", "false"], {})) == []
