"""The logits of a base with adapters on it, by Transformers and PEFT on PyTorch.

    python tests/parity/adapter_logits.py BASE_FOLDER ADAPTER_FOLDER TOKENS_FILE LOGITS_FILE

TOKENS_FILE is a NumPy array int [B, T]; LOGITS_FILE becomes one, float32 [B, T, V].
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM


def main(base: str, adapter: str, tokens_file: str, logits_file: str) -> None:
    """Writes the logits."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    with torch.no_grad():
        logits = model(torch.tensor(np.load(tokens_file), dtype=torch.int64)).logits
    np.save(logits_file, logits.numpy())


if __name__ == "__main__":
    main(*sys.argv[1:])
