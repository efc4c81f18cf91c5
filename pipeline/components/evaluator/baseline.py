"""The model to compare with: the last one that was blessed, if it is still there."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.utils import path_utils

from publishing.downloads import Download

MODEL_URI = constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY
MODEL, BLESSING, CANDIDATE = "model", "model_blessing", "candidate"
TOKENIZER_FILE = os.path.join("exports", "transformers", "tokenizer.json")  # noqa: PTH118 - part of a URI

Artifacts = dict[str, list[Artifact]]


class PreviousBlessedModelStrategy(ResolverStrategy):
    """The model that was blessed last, among those that are not the candidate, with its blessing.

    Unlike TFX's LatestBlessedModelStrategy, it does not compare a model that was blessed a moment ago with itself when
    an unchanged pipeline runs again, and it does not take an older model for one that somebody deleted: then there is a
    blessing without a model.
    """

    def resolve_artifacts(self, store: object, input_dict: Artifacts) -> Artifacts:
        """Returns the model, its blessing, and the candidate; empty lists where there is none.

        Args:
            store: not needed.
            input_dict: all models as `model`, all blessings as `model_blessing`, and the `candidate`.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        blessed = [
            blessing
            for blessing in input_dict[BLESSING]
            if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY) == constants.BLESSED_VALUE
            and _model_id(blessing) not in candidates
        ]
        # One model may have been judged more than once.
        latest = max(blessed, key=lambda blessing: (_model_id(blessing), blessing.id), default=None)
        models = [model for model in input_dict[MODEL] if latest and model.id == _model_id(latest)]
        return {
            MODEL: [model for model in models if model_exists(model)],
            BLESSING: [latest] if latest else [],
            CANDIDATE: input_dict[CANDIDATE],
        }


class Baseline(NamedTuple):
    """The model to compare with.

    Attributes:
        model: None if there is none.
        notes: why there is none, where that is as it should be.
        refusals: why there is none, where a model would have to be compared.
    """

    model: Artifact | None
    notes: list[str]
    refusals: list[str]


def usable_baseline(models: Sequence[Artifact], blessings: Sequence[Artifact]) -> Baseline:
    """Returns the model to compare with, or why there is none.

    Args:
        models: at most one, the last blessed or the published one.
        blessings: at most one, that of the last blessed model, there even if the model is gone.
    """
    if models and model_exists(models[0]):
        return Baseline(models[0], [], [])
    published = Download.read(Path(models[0].uri)) if models else None
    if published is not None and published.reason:
        return Baseline(None, [f"{published.reason}, so there was nothing to compare with"], [])
    if not models and not blessings:
        return Baseline(None, ["no model was blessed before, so there was nothing to compare with"], [])
    place = models[0].uri if models else blessings[0].get_string_custom_property(MODEL_URI)
    return Baseline(
        None,
        [],
        [
            f"the last blessed model is gone ({place}), so this one cannot be compared with it; restore that folder, "
            "or run again with --evaluation.baseline none to judge by the thresholds alone"
        ],
    )


def model_exists(model: Artifact) -> bool:
    """Returns whether the SavedModel can be loaded, as far as its files tell."""
    return bool(fileio.exists(os.path.join(path_utils.serving_model_path(model.uri), "saved_model.pb")))  # noqa: PTH118


def same_tokenizer(model: Artifact, other: Artifact) -> bool:
    """Returns whether both models cut text into the same tokens."""
    first, second = (_tokenizer(artifact) for artifact in (model, other))
    return first is not None and first == second


def _model_id(blessing: Artifact) -> int:
    return int(blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY))


def _tokenizer(model: Artifact) -> bytes | None:
    path = os.path.join(model.uri, TOKENIZER_FILE)  # noqa: PTH118
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return bytes(file.read())
