"""What AnswerQuality leaves behind."""

from __future__ import annotations

from tfx import types


class AnswerSample(types.artifact.Artifact):
    """Answers to a sample of the evaluation split; its folder holds answers.json:

    - `rows`: asked; `seed`, `max_new_tokens`, `seconds`;
    - `candidate`: the figures of `pipeline.evaluation.ANSWER_METRICS`, by name; null if no row was asked;
    - `baseline`: likewise, of the last blessed model on the same rows; null if there is none;
    - `baseline_model`: its artifact's `id` and `uri`; null if there is none;
    - `conditions`: what came of each, as `pipeline.evaluation.Verdict.as_dict` gives it;
    - `reasons`: those that are missed, in words; the Evaluator's blessing depends on them;
    - `answers`: a list of `instruction`, `input`, `expected`, `candidate` and `baseline`, these two with `text` and
      `stopped`; `baseline` is null if there is none.
    """

    TYPE_NAME = "pipeline.AnswerSample"  # Kubeflow's compiler wants a namespace in it
