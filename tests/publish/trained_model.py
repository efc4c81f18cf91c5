"""A Trainer's model artifact in which everything is real: a tiny GPT-2 that has learnt one answer by heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ANSWER = "Paris, naïvely."
GENERATION = {"max_new_tokens": 24, "temperature": 0.0, "top_k": 0, "top_p": 1.0}
_STEPS = 120


def train_model(folder: Path) -> Path:
    """Writes the artifact in the Trainer's layout."""
    import keras

    from modules.network.model import build_backbone
    from modules.serving import export
    from modules.serving.generation import TextGenerator
    from modules.serving.signatures import ServingModule, save_serving_model
    from modules.text.prompts import format_prompt
    from modules.text.tokenizer import end_token_id, train_tokenizer

    prompt = format_prompt("Name the capital of France.", "")
    tokenizer = train_tokenizer([prompt, ANSWER], vocabulary_size=300)
    keras.utils.set_random_seed(1)
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=128,
        dropout=0.0,
        max_sequence_length=64,
        dtype="float32",
    )
    _learn_by_heart(backbone, [*tokenizer.encode(prompt + ANSWER).ids, end_token_id(tokenizer)])
    export.export_all(backbone, tokenizer, folder / "exports", generation=GENERATION)
    save_serving_model(ServingModule(TextGenerator(backbone, tokenizer), GENERATION), folder / "Format-Serving")
    (folder / "exports" / "training.json").write_text(json.dumps({"model": {}, "training": {"seed": 1}}))
    return folder


def _learn_by_heart(backbone: Any, ids: list[int]) -> None:
    import keras
    import numpy as np

    logits = backbone.token_embedding(backbone.output, reverse=True)
    model = keras.Model(backbone.inputs, logits)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    inputs = {"token_ids": np.array([ids[:-1]]), "padding_mask": np.ones((1, len(ids) - 1), bool)}
    model.fit(inputs, np.array([ids[1:]]), epochs=_STEPS, verbose=0)
