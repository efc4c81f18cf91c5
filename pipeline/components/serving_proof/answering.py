"""The fresh process: loads one exported form of a model and answers every request with it.

    python -m pipeline.components.serving_proof.answering FORM MODEL_FOLDER REQUESTS_FILE ANSWERS_FILE

Each form is loaded as its readers do, and shares no code with the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modules.exports import find_form
from modules.processes import infrequent_garbage_collection
from modules.proving.requests import Requests


def main(arguments: Sequence[str]) -> None:
    """Answers with one form."""
    form, model_folder, requests_file, answers_file = arguments
    ask = find_form(form).ask
    if ask is None:
        raise ValueError(f"Only a form that can be asked can be proven. Received: {form}.")
    requests = Requests(**json.loads(Path(requests_file).read_text(encoding="utf-8")))
    with infrequent_garbage_collection():
        np.savez(answers_file, allow_pickle=False, **ask(Path(model_folder), requests))


if __name__ == "__main__":
    main(sys.argv[1:])
