"""Perplexity of a model's Transformers export on given rows, with PyTorch alone: shares no code with the Evaluator.

    python tests/parity/perplexity.py MODEL_FOLDER ROWS_FILE

MODEL_FOLDER is a model artifact's; ROWS_FILE holds one JSON object a line, with instruction, input, output. Prints one:
loss (nats per response token, end token included), perplexity, tokens, token_accuracy, rows.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(model_folder: Path, rows_file: Path) -> dict[str, float]:
    """The figures over all rows."""
    spec = json.loads((model_folder / "exports/prompt.json").read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(model_folder / "exports/transformers")
    model = AutoModelForCausalLM.from_pretrained(model_folder / "exports/transformers", dtype=torch.float32).eval()
    loss, correct, tokens, rows = 0.0, 0, 0, 0
    for line in rows_file.read_text(encoding="utf-8").splitlines():
        scored = score(json.loads(line), spec, tokenizer, model)
        if scored is not None:
            loss, correct, tokens, rows = loss + scored[0], correct + scored[1], tokens + scored[2], rows + 1
    return {
        "loss": loss / tokens,
        "perplexity": math.exp(loss / tokens),
        "tokens": tokens,
        "token_accuracy": correct / tokens,
        "rows": rows,
    }


def score(row: dict[str, str], spec: dict[str, Any], tokenizer: Any, model: Any) -> tuple[float, int, int] | None:
    """Summed negative log-likelihood, hits and tokens of the response; None if it does not fit into the context."""
    texts = {name: text.replace(spec["end_token"], spec["neutral_end_token"]) for name, text in row.items()}
    blank = not row["input"].strip(spec["blank_characters"])
    prompt = spec["without_input" if blank else "with_input"].format(**texts)
    prompt_ids = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    response_ids = [*tokenizer(texts["output"], add_special_tokens=False)["input_ids"], spec["end_token_id"]]
    room = spec["context_length"] + 1 - len(response_ids)  # the last target is no input
    if room < 1:
        return None
    ids = [*prompt_ids[-room:], *response_ids]
    with torch.no_grad():
        hidden = model.transformer(torch.tensor([ids[:-1]])).last_hidden_state[0, -len(response_ids) :]
        logits = model.lm_head(hidden).double()
    targets = torch.tensor(response_ids)
    likelihood = torch.log_softmax(logits, dim=-1)[torch.arange(len(targets)), targets]
    return -float(likelihood.sum()), int((logits.argmax(-1) == targets).sum()), len(targets)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
