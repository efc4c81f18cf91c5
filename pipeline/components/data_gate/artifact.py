"""What the data gate gives: apart from the component, so that others can read it without importing validation."""

from __future__ import annotations

from tfx import types


class DataBlessing(types.artifact.Artifact):
    """Says that the data passed the gate.

    Its custom properties are `train_rows` and `eval_rows`, and what `earlier` looks for: `dataset`, `statistics_id`.
    Its report.json holds:

    - `rows`: by split;
    - `splits`: what the rows look like, by split; see `Survey.as_dict`;
    - `shares`: by split, the shares of the rows that are `overlong`, `duplicates`, (of evaluation rows) `in_train` and
      (of train rows) `dropped`;
    - `tokens`: of the train rows, `rows`, `dropped` (too long for `sequence_length`) and the `longest`'s tokens; null
      if they were not counted;
    - `skew`, `drift`: the distances of `rules.distances`; null where there was nothing to compare with;
    - `dataset`: licence, data sets and sources that the rows came with (see `data.origin`); null if with none;
    - `earlier`: the artifact's `id` and `uri` that `drift` is against; null if none;
    - `allowed`: what was found and let through, a list of `name`, `words`, `examples`;
    - `notes`: what was not looked at.
    """

    TYPE_NAME = "pipeline.DataBlessing"  # Kubeflow's compiler wants a namespace in it
