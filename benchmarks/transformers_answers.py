"""The other interpreter's side of benchmarks.agreement: Transformers' own ``generate`` on PyTorch.

    python -m benchmarks.transformers_answers MODEL_FOLDER REQUESTS_FILE ANSWERS_FILE

Imports nothing of this project but the shapes of the serving proof, whose requests and answers it reads and writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modules.proving.answers import Answers, log_softmax, pack
from modules.proving.requests import Requests


def answer(model_folder: Path, requests: Requests) -> Answers:
    """Answers one request after another, greedily."""
    import torch  # type: ignore[import-not-found, unused-ignore]
    from transformers import AutoModelForCausalLM  # type: ignore[import-not-found, unused-ignore]

    model = AutoModelForCausalLM.from_pretrained(model_folder / "exports/transformers").eval()
    answers = []
    for ids in requests.prompt_ids:
        given = torch.tensor([list(ids)])
        with torch.inference_mode():
            made = model.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=requests.new_tokens,
                do_sample=False,
                eos_token_id=requests.end_token_id,
                pad_token_id=requests.end_token_id,
                output_logits=True,
                return_dict_in_generate=True,
            )
        new = [token for token in made.sequences[0, len(ids) :].tolist() if token != requests.end_token_id]
        answers.append((new, log_softmax(torch.cat(made.logits).float().numpy())))
    return {**pack(answers, requests), "scores": _scores(model, model_folder, requests)}


def _scores(model: object, model_folder: Path, requests: Requests) -> np.ndarray:
    import torch  # type: ignore[import-not-found, unused-ignore]

    from modules.proving.answers import score_rows

    def logits(token_ids: Sequence[int]) -> np.ndarray:
        with torch.inference_mode():
            found: np.ndarray = model(torch.tensor([list(token_ids)])).logits[0].float().numpy()  # type: ignore[operator]
        return found

    return score_rows(model_folder, logits, requests.rows)


def main(arguments: Sequence[str]) -> None:
    """Answers every request."""
    model_folder, requests_file, answers_file = map(Path, arguments)
    requests = Requests(**json.loads(requests_file.read_text(encoding="utf-8")))
    np.savez(answers_file, allow_pickle=False, **answer(model_folder, requests))


if __name__ == "__main__":
    main(sys.argv[1:])
