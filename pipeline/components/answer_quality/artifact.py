"""The artifact that AnswerQuality writes."""

from __future__ import annotations

from tfx import types


class AnswerSample(types.artifact.Artifact):
    """Answers to a sample of the evaluation split; its folder holds an `AnswerRecord`, see `record.py`."""

    TYPE_NAME = "pipeline.AnswerSample"  # Kubeflow's compiler wants a namespace in it
