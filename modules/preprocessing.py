"""Transform's ``preprocessing_fn``: rows of instruction, input, output become prompt and response.

A document of raw text, which is all output, gets an empty prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from modules.prompts import find_format
from modules.prompts.format import escape_end_tokens_tensor
from modules.settings.rows import PreprocessingSettings

FEATURES = ("instruction", "input", "output")


def preprocessing_fn(inputs: Mapping[str, Any], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Formats each row; see :mod:`modules.prompts`.

    Args:
        inputs: ``instruction``, ``input``, ``output``: string, dense [batch, 1] (schema with a shape) or
            sparse (inferred).
        custom_config: :class:`PreprocessingSettings` as plain JSON.

    Returns:
        ``prompt`` and ``response``: string [batch, 1].
    """
    settings = PreprocessingSettings.model_validate(custom_config)
    prompt_format = find_format(settings.prompt_format, kind=settings.kind)
    instruction, input_text, output = (_dense(inputs[name]) for name in FEATURES)
    return {
        "prompt": prompt_format.format_tensors(instruction, input_text),
        "response": escape_end_tokens_tensor(output),
    }


def _dense(values: Any) -> tf.Tensor:
    if isinstance(values, tf.SparseTensor):
        one_per_row = tf.SparseTensor(values.indices, values.values, [values.dense_shape[0], 1])
        return tf.sparse.to_dense(one_per_row, default_value="")
    return tf.reshape(values, [-1, 1])
