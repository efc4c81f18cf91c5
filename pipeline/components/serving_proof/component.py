"""The ServingProof component: its input, parameter and output."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint, reference_fingerprint
from pipeline.components.serving_proof.executor import Executor

TIMEOUT_SECONDS = 3600


class ServingProofSpec(ComponentSpec):
    """Inputs, parameters and outputs of ServingProof."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads class attributes
        "timeout_seconds": ExecutionParameter(type=int),
        "extra": ExecutionParameter(type=str),  # JSON
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012
    OUTPUTS = {"blessing": ChannelParameter(type=standard_artifacts.InfraBlessing)}  # noqa: RUF012


class ServingProof(base_component.BaseComponent):
    """Loads every exported form in a fresh process and compares their answers; what InfraValidator does with docker."""

    SPEC_CLASS = ServingProofSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self, *, model: types.BaseChannel, timeout_seconds: int = TIMEOUT_SECONDS, extra: Sequence[str] = ()
    ) -> None:
        """Describes one proof.

        Args:
            model: from the Trainer.
            timeout_seconds: for the whole proof.
            extra: forms of the user's own that the model is exported in, as ``export.extra`` names them.
        """
        super().__init__(
            ServingProofSpec(
                model=model,
                timeout_seconds=timeout_seconds,
                extra=json.dumps(list(extra)),
                fingerprint=fingerprint(Executor.__module__) + reference_fingerprint(extra),
                blessing=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
