"""The ServingProof executor: has every form asked in a fresh process, and blesses or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from pipeline.components.serving_proof.comparison import reasons_in
from pipeline.components.serving_proof.prove import prove
from pipeline.components.serving_proof.record import FormProof, ProofRecord

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Proves that the exports of `model` serve, or says which does not."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:  # noqa: N802
        """Writes the record, a marker file and, into custom properties, the verdict `blessed` and its `reason`.

        Args:
            input_dict: `model`.
            output_dict: `blessing`, an InfraBlessing.
            exec_properties: `timeout_seconds`, for the whole proof; `extra`, forms of the user's own, as JSON.

        Raises:
            ServingProofError: If the proof takes too long.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        model = artifact_utils.get_single_instance(input_dict["model"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        folder = Path(blessing.uri)
        report = prove(
            Path(model.uri),
            timeout_seconds=exec_properties["timeout_seconds"],
            extra=json.loads(exec_properties["extra"]),
        )
        reasons = reasons_in(report)
        forms = {form: FormProof(**found) for form, found in report.items()}
        ProofRecord(forms=forms, reasons=tuple(reasons)).write(folder)
        blessing.set_int_custom_property("blessed", int(not reasons))
        # TFX's own marker files: all that is left of the verdict where custom properties do not travel.
        (folder / ("INFRA_NOT_BLESSED" if reasons else "INFRA_BLESSED")).touch()
        if reasons:
            blessing.set_string_custom_property("reason", "; ".join(reasons))
