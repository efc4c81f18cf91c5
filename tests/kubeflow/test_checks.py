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


@pytest.mark.parametrize("image", ["registry.example/a@sha256:...", "ghcr.io/a@sha256:" + "0" * 63, "ghcr.io/a@latest"])
def test_a_digest_is_refused_unless_it_is_whole(image: str) -> None:
    with pytest.raises(CompileError) as raised:
        check(load_config(["--kubeflow.image", image], {}))

    assert f"is sha256: and 64 hexadecimal digits. Received: {image}. Take the one" in str(raised.value)


def test_an_image_on_a_registry_of_the_examples_is_refused_for_a_cluster_alone() -> None:
    config = load_config(
        ["--publish.enabled", "false", "--kubeflow.image", f"registry.example:5000/a@sha256:{'0' * 64}"], {}
    )

    check(config)
    (problem,) = deployment_problems(config)
    assert "names that end in .example are nobody's" in problem


def test_an_owner_as_the_examples_write_it_is_refused() -> None:
    examples = [
        *("--publish.endpoint", "https://huggingface.co", "--model.preset", "hub:YOU/gpt2-alpaca"),
        *("--publish.repo-id", "YOU/gpt2-alpaca", "--publish.space-repo-id", "your-username/gpt2-alpaca-demo"),
    ]

    with pytest.raises(CompileError) as raised:
        check(load_config(examples, {}))

    message = str(raised.value)
    assert message.startswith("The pipeline was not compiled: 3 problems.")
    assert (
        "publish.repo_id must name a repository's real owner. Received: YOU/gpt2-alpaca, as examples write it. "
        "Put your user or organisation on the Hub in place of what is before the /."
    ) in message
    assert "Received: your-username/gpt2-alpaca-demo, as examples write it." in message
    assert "Received: hub:YOU/gpt2-alpaca, as examples write it." in message


def test_real_owners_are_none_of_the_examples() -> None:
    for owner in ("you", "YOUNG", "BAAI", "ME", "yourself", "team-you", "USERS"):
        names = ["--publish.repo-id", f"{owner}/a", "--publish.space-repo-id", f"{owner}/b"]
        check(load_config(["--publish.endpoint", "https://huggingface.co", *names], {}))
