"""The ServingProof executor: starts the fresh process, reads its report, blesses or not."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from pipeline.errors import PipelineError

logger = logging.getLogger(__name__)

REPORT_FILE = "report.json"
PROCESS = "pipeline.components.serving_proof.prove"
PROJECT = Path(__file__).parents[3]

Artifacts = dict[str, list[Artifact]]


class ServingProofError(PipelineError):
    """The process that loads the exports ended without a report."""


class Executor(base_executor.BaseExecutor):
    """Proves that the exports of `model` serve, or says which does not."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes report.json, a marker file and, into custom properties, the verdict `blessed` and its `reason`.

        Args:
            input_dict: `model`.
            output_dict: `blessing`, an InfraBlessing.
            exec_properties: `timeout_seconds`, for the whole proof.

        Raises:
            ServingProofError: If the process crashes or takes too long.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        folder = Path(blessing.uri)
        folder.mkdir(parents=True, exist_ok=True)
        run_proof(Path(model.uri), folder / REPORT_FILE, timeout_seconds=exec_properties["timeout_seconds"])
        report = json.loads((folder / REPORT_FILE).read_text(encoding="utf-8"))
        reasons = reasons_in(report)
        blessing.set_int_custom_property("blessed", int(not reasons))
        # TFX's own marker files: all that is left of the verdict where custom properties do not travel.
        (folder / ("INFRA_NOT_BLESSED" if reasons else "INFRA_BLESSED")).touch()
        if reasons:
            blessing.set_string_custom_property("reason", "; ".join(reasons))


def run_proof(model_folder: Path, report: Path, *, timeout_seconds: int) -> None:
    """Runs the proof in a process of its own, which inherits nothing but the environment.

    Raises:
        ServingProofError: If it crashes or takes too long.
    """
    command = [sys.executable, "-m", PROCESS, str(model_folder), str(report)]
    try:
        finished = subprocess.run(
            command, cwd=PROJECT, env=os.environ, capture_output=True, text=True, timeout=timeout_seconds
        )
    except subprocess.TimeoutExpired as error:
        raise ServingProofError(
            f"The exports must be proven to serve within {timeout_seconds} s. Received: no answer. "
            "Look for a larger machine, or set evaluation.prove_serving to false."
        ) from error
    logger.info("Serving proof: %s", finished.stderr)
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or ["no message"])[-1]
        raise ServingProofError(
            "The exports must load in a fresh process. "
            f"Received: it ended with status {finished.returncode}, {last}. The log has the rest."
        )


def reasons_in(report: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Why the exports are not fit to serve; empty if they are."""
    reasons = [f"{name} cannot be loaded: {result['error']}" for name, result in report.items() if "error" in result]
    for name, result in report.items():
        if result.get("disagreements"):
            reasons.append(
                f"{name} disagrees with the reference on {len(result['disagreements'])} of {result['requests']} "
                f"requests ({result['tolerance']})"
            )
    return reasons
