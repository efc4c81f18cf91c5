"""Checks that can be made before anything is compiled or submitted. Imports neither TFX nor TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipeline.config import PipelineConfig
from pipeline.errors import PipelineError
from pipeline.kubeflow.parameters import allowed_fields
from pipeline.placeholders import owner_problems
from publishing.errors import numbered

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
UNITS = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


class CompileError(PipelineError):
    """A configuration that cannot be compiled for Kubeflow; the message lists every reason."""


def check(config: PipelineConfig) -> None:
    """Looks for everything that would make the compiled pipeline useless.

    Raises:
        CompileError: With all problems at once.
    """
    problems = compile_problems(config)
    if problems:
        raise CompileError(numbered("The pipeline was not compiled", problems))


def compile_problems(config: PipelineConfig) -> list[str]:
    """Returns what would make the compiled pipeline useless wherever it is submitted."""
    return [*_name(config), *_parameters(config), *_requests(config), *_digest(config), *owner_problems(config)]


def deployment_problems(config: PipelineConfig) -> list[str]:
    """Returns what is fine in a file but not on a cluster; `submit` and `schedule` refuse it, `compile` mentions it."""
    problems = []
    if config.publish.enabled and config.publish.endpoint == "local":
        problems.append(
            "The embedded Hub's disk is gone with the pod that published to it. "
            "Received: publish.endpoint = local. "
            "Set --publish.endpoint https://huggingface.co with repositories of yours, or --publish.enabled false."
        )
    if config.publish.enabled and config.publish.signing_key_env:
        problems.append(
            "A pod has no file with a private key. "
            f"Received: publish.signing_key_env = {config.publish.signing_key_env}. "
            "Set it to none; `python -m publishing` publishes signed from where the key is."
        )
    if config.kubeflow.image.partition("/")[0].partition(":")[0].endswith(".example"):
        problems.append(
            "The image must be on a registry that the cluster can reach. "
            f"Received: kubeflow.image = {config.kubeflow.image}; names that end in .example are nobody's (RFC 2606). "
            "Push it to a registry of yours (make image IMAGE=…), and set --kubeflow.image."
        )
    return problems


def quantity(text: str) -> float:
    """Returns a Kubernetes quantity as a number: 0.5 for `500m`, 1073741824.0 for `1Gi`."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text).groups()  # type: ignore[union-attr] # as the config
    return float(number) * UNITS.get(unit, 1)


def _name(config: PipelineConfig) -> Iterator[str]:
    if not NAME.fullmatch(config.pipeline_name):
        yield (
            "pipeline_name may hold lower-case letters, digits and `-` on Kubeflow, and starts with a letter or digit. "
            f"Received: {config.pipeline_name!r}. Set --pipeline-name."
        )


def _digest(config: PipelineConfig) -> Iterator[str]:
    _, at, digest = config.kubeflow.image.partition("@")
    if at and not DIGEST.fullmatch(digest):
        yield (
            "The digest of kubeflow.image is sha256: and 64 hexadecimal digits. "
            f"Received: {config.kubeflow.image}. Take the one that `docker push` prints, or a tag of the image."
        )


def _parameters(config: PipelineConfig) -> Iterator[str]:
    allowed = allowed_fields()
    for field in config.kubeflow.parameters:
        if field not in allowed:
            yield (
                "kubeflow.parameters names fields that a run can still set. "
                f"Received: {field!r}. Take some of {', '.join(allowed)}."
            )


def _requests(config: PipelineConfig) -> Iterator[str]:
    settings = config.kubeflow
    for prefix in ("", "trainer_"):
        for resource in ("cpu", "memory"):
            request = getattr(settings, f"{prefix}{resource}_request")
            limit = getattr(settings, f"{prefix}{resource}_limit")
            if quantity(request) > quantity(limit):
                yield (
                    f"kubeflow.{prefix}{resource}_request cannot exceed kubeflow.{prefix}{resource}_limit. "
                    f"Received: {request} and {limit}. Lower the one or raise the other."
                )
