"""The artifact of the data gate, apart from the component, so that others can read it without importing validation."""

from __future__ import annotations

from tfx import types


class DataBlessing(types.artifact.Artifact):
    """Says that the data passed the gate.

    Its custom properties are `train_rows` and `eval_rows`, and what `earlier` looks for: `dataset`, `statistics_id`.
    Its folder holds a :class:`pipeline.components.data_gate.record.DataRecord`.
    """

    TYPE_NAME = "pipeline.DataBlessing"  # Kubeflow's compiler wants a namespace in it
