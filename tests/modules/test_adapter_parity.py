"""Adapters that were trained here, put onto their base by PEFT."""

from __future__ import annotations

import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.adapter import ADAPTER
from modules.exports.transformers import TRANSFORMERS
from modules.models.gpt2.network import hidden_states
from modules.models.lora import add_adapters
from modules.models.training_model import training_model
from modules.settings.generation import GenerationSettings
from modules.settings.training import LORA_TARGETS
from tests.modules.conftest import make_backbone
from tests.modules.packed import packed_batch, train

ROOT = Path(__file__).parents[2]
PARITY_PYTHON = ROOT / ".venv-parity" / "bin" / "python"
GENERATION = GenerationSettings(max_new_tokens=4)


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
@pytest.mark.parametrize("unfrozen", [(), ("layer_norms",)])
def test_peft_computes_the_same_logits(tokenizer: Tokenizer, tmp_path: Path, unfrozen: tuple[str, ...]) -> None:
    backbone, size = make_backbone(tokenizer), tokenizer.get_vocab_size()
    backbone.set_weights([weight / 4 for weight in backbone.get_weights()])
    TRANSFORMERS.write(TrainedModel(backbone, tokenizer, GENERATION), tmp_path / "base")
    add_adapters(backbone, rank=3, alpha=6.0, targets=LORA_TARGETS, unfrozen=unfrozen)
    model = training_model(backbone, sequence_length=16)
    train(model, keras.optimizers.AdamW(1e-2), steps=4, vocabulary_size=size)
    ADAPTER.write(TrainedModel(backbone, tokenizer, preset="base"), tmp_path / "adapter")
    tokens = packed_batch(size)["token_ids"]
    np.save(tmp_path / "tokens.npy", tokens)
    files = [tmp_path / name for name in ("base", "adapter", "tokens.npy", "logits.npy")]
    command = [PARITY_PYTHON, ROOT / "tests/parity/adapter_logits.py", *files]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    hidden = np.asarray(hidden_states(backbone, tokens, training=False))
    expected = hidden @ np.asarray(backbone.token_embedding.embeddings).T  # [B, T, V]
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
