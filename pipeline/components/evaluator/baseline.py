"""The model to compare with: the last one that was blessed, if it is still there."""

from __future__ import annotations

import logging
import os

from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import LatestBlessedModelStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact
from tfx.utils import path_utils

logger = logging.getLogger(__name__)

MODEL, BLESSING, CANDIDATE = "model", "model_blessing", "candidate"
TOKENIZER_FILE = os.path.join("exports", "transformers", "tokenizer.json")  # noqa: PTH118 - part of a URI

Artifacts = dict[str, list[Artifact]]


class PreviousBlessedModelStrategy(ResolverStrategy):
    """TFX's LatestBlessedModelStrategy among the models that are not the candidate and whose files exist.

    Without the first condition, a model that was blessed a moment ago would be compared with itself when an
    unchanged pipeline runs again, instead of being served from cache.
    """

    def resolve_artifacts(self, store: object, input_dict: Artifacts) -> Artifacts:
        """The latest blessed model, its blessing, and the candidate; empty lists where there is none.

        Args:
            store: not needed.
            input_dict: all models as `model`, all blessings as `model_blessing`, and the `candidate`.
        """
        candidates = {artifact.id for artifact in input_dict[CANDIDATE]}
        models = [
            artifact for artifact in input_dict[MODEL] if artifact.id not in candidates and model_exists(artifact)
        ]
        known = {MODEL: models, BLESSING: input_dict[BLESSING]}
        return {**LatestBlessedModelStrategy().resolve_artifacts(store, known), CANDIDATE: input_dict[CANDIDATE]}


def model_exists(model: Artifact) -> bool:
    """Whether the SavedModel can be loaded, as far as its files tell."""
    return bool(fileio.exists(os.path.join(path_utils.serving_model_path(model.uri), "saved_model.pb")))  # noqa: PTH118


def same_tokenizer(model: Artifact, other: Artifact) -> bool:
    """Whether both models cut text into the same tokens."""
    first, second = (_tokenizer(artifact) for artifact in (model, other))
    return first is not None and first == second


def _tokenizer(model: Artifact) -> bytes | None:
    path = os.path.join(model.uri, TOKENIZER_FILE)  # noqa: PTH118
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return bytes(file.read())
