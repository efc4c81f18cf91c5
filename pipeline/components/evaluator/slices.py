"""Slices of a row besides its own columns; TFX's Evaluator asks this module for its extractors."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma

from modules.prompts.format import is_blank
from pipeline.evaluation import PROMPT_LENGTH, PROMPT_LENGTHS, WITH_INPUT


def custom_extractors(*, eval_shared_model: Any, eval_config: Any, tensor_adapter_config: Any) -> list[Any]:
    """Returns TFMA's default extractors, and after the features one that adds ``with_input`` and ``prompt_length``."""
    first, *others = tfma.default_extractors(
        eval_shared_model=eval_shared_model, eval_config=eval_config, tensor_adapter_config=tensor_adapter_config
    )
    added = tfma.extractors.Extractor("AddSliceColumns", beam.Map(add_slice_columns))
    return [first, added, *others]


def add_slice_columns(extracts: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy of a batch of extracts with two more features; string [batch, 1] each."""
    features = extracts[tfma.FEATURES_KEY]
    texts = [_texts(features[name]) for name in ("instruction", "input")]
    rows = list(zip(*texts, strict=True))
    columns = {
        WITH_INPUT: _column("no" if is_blank(input_text) else "yes" for _, input_text in rows),
        PROMPT_LENGTH: _column(length_slice(len(instruction) + len(input_text)) for instruction, input_text in rows),
    }
    return {**extracts, tfma.FEATURES_KEY: {**features, **columns}}


def length_slice(characters: int) -> str:
    """Returns the name of the slice for prompts of so many characters."""
    return next(name for name, most in PROMPT_LENGTHS.items() if most is None or characters <= most)


def _texts(feature: Any) -> list[str]:
    values = getattr(feature, "values", feature)  # of a feature without a shape, TFMA gives only what is there
    return [value.decode("utf-8", "replace") for value in np.asarray(values).reshape(-1)]


def _column(values: Any) -> np.ndarray:
    return np.array([[value.encode()] for value in values], dtype=object)
