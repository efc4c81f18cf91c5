"""A Trainer's model artifact in which everything is real: a tiny GPT-2 that has learnt one answer by heart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modules.settings.generation import GenerationSettings

ANSWER = "Paris, naïvely."
GENERATION = GenerationSettings(max_new_tokens=24)
_STEPS = 120


def train_model(folder: Path) -> Path:
    """Writes the artifact in the Trainer's layout; beside it ``base``, which its adapter turns into the model."""
    import keras

    from modules.exports import FORMS, TrainedModel
    from modules.exports.writing import write_forms, write_prompt_spec
    from modules.models.gpt2.network import build_backbone
    from modules.models.gpt2.tokenizer import end_token_id, train_tokenizer
    from modules.prompts import ALPACA

    prompt = ALPACA.format("Name the capital of France.", "")
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
    model = TrainedModel(backbone, tokenizer, GENERATION)
    write_forms(model, folder, FORMS.values())
    write_prompt_spec(model, folder)
    (folder / "exports" / "training.json").write_text(json.dumps({"model": {}, "training": {"seed": 1}}))
    _part_into_base_and_adapter(backbone, tokenizer, folder)
    return folder


def _learn_by_heart(backbone: Any, ids: list[int]) -> None:
    import keras
    import numpy as np

    logits = backbone.token_embedding(backbone.output, reverse=True)
    model = keras.Model(backbone.inputs, logits)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    inputs = {"token_ids": np.array([ids[:-1]]), "padding_mask": np.ones((1, len(ids) - 1), bool)}
    model.fit(inputs, np.array([ids[1:]]), epochs=_STEPS, verbose=0)


def _part_into_base_and_adapter(backbone: Any, tokenizer: Any, folder: Path) -> None:
    """A random adapter, and as its base what is left of the model without it."""
    import numpy as np

    from modules.exports import TrainedModel
    from modules.exports.adapter import ADAPTER
    from modules.exports.transformers import TRANSFORMERS
    from modules.models.float32 import as_float32
    from modules.models.gpt2.layers import blocks
    from modules.models.lora import adapter_product, add_adapters

    add_adapters(backbone, rank=4, alpha=8.0, targets=("query", "output", "feedforward"))
    adapted = [layer for block in blocks(backbone) for layer in block.dense if layer.lora_enabled]
    numbers = np.random.default_rng(1)
    for layer in adapted:
        layer.lora_kernel_b.assign(numbers.normal(scale=0.2, size=layer.lora_kernel_b.shape))
        layer._kernel.assign_sub(adapter_product(layer).reshape(layer._kernel.shape))
    base = folder.with_name("base")
    ADAPTER.write(TrainedModel(backbone, tokenizer, preset=str(base)), folder / "exports" / "adapter")
    for layer in adapted:
        layer.lora_kernel_b.assign(np.zeros(layer.lora_kernel_b.shape))
    TRANSFORMERS.write(TrainedModel(as_float32(backbone), tokenizer, GENERATION), base)
