"""Asks every exported form of a model, each in a fresh process, and compares their answers.

    python -m pipeline.components.serving_proof.prove MODEL_FOLDER

prints the report as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.components.serving_proof.comparison import compare
from pipeline.components.serving_proof.requests import Requests, make_requests
from pipeline.errors import PipelineError

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[3]
PROCESS = "pipeline.components.serving_proof.forms"
# Form -> its folder in the model artifact, those that take longest first.
FOLDERS = {
    "saved_model": "Format-Serving",
    "keras": "exports/keras",
    "transformers": "exports/transformers",
    "ctranslate2_float32": "exports/ctranslate2_float32",
    "ctranslate2": "exports/ctranslate2",
}
OPTIONAL = ("ctranslate2_float32", "ctranslate2")
PROCESSES = 2  # at once: each may hold the whole model

Found = Mapping[str, np.ndarray] | str  # a form's answers, or the message of its error


class ServingProofError(PipelineError):
    """The forms of a model could not be asked."""


def prove(model_folder: Path, *, timeout_seconds: float, requests: Requests | None = None) -> dict[str, Any]:
    """Each form's report, as :func:`pipeline.components.serving_proof.comparison.compare` makes it, and its seconds.

    Args:
        model_folder: a model artifact's.
        timeout_seconds: for the whole proof.
        requests: what to ask; usually :func:`make_requests`.

    Raises:
        ServingProofError: If the proof takes longer than that.
    """
    requests = requests or make_requests(model_folder)
    answers = ask_all(model_folder, requests, timeout_seconds=timeout_seconds)
    report = compare({form: found for form, (found, _) in answers.items()}, model_folder, requests)
    return {form: report[form] | {"seconds": seconds} for form, (_, seconds) in answers.items()}


def ask_all(model_folder: Path, requests: Requests, *, timeout_seconds: float) -> dict[str, tuple[Found, float]]:
    """By form, its answers or its error's message, and the seconds that it took; the arguments are :func:`prove`'s."""
    forms = [form for form, folder in FOLDERS.items() if form not in OPTIONAL or (model_folder / folder).is_dir()]
    deadline = time.monotonic() + timeout_seconds
    pool = ThreadPoolExecutor(PROCESSES)
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder, "requests.json")
        asked.write_text(json.dumps(asdict(requests)), encoding="utf-8")
        try:
            running = {form: pool.submit(_ask, form, model_folder, asked, deadline) for form in forms}
            return {form: future.result() for form, future in running.items()}
        finally:
            pool.shutdown(cancel_futures=True)  # nothing more is started once one has failed


def _ask(form: str, model_folder: Path, requests: Path, deadline: float) -> tuple[Found, float]:
    """The form's answers or its error's message, and the seconds that it took."""
    started, answers = time.monotonic(), requests.with_name(f"{form}.npz")
    command = [sys.executable, "-m", PROCESS, form, str(model_folder), str(requests), str(answers)]
    try:
        finished = subprocess.run(
            command,
            cwd=PROJECT,
            env=os.environ | {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            timeout=max(deadline - started, 0),
        )
    except subprocess.TimeoutExpired as error:
        raise ServingProofError(
            f"The exports must be proven to serve in time. Received: no answer from {form} after "
            f"{time.monotonic() - started:.0f} s. Look for a larger machine, or set evaluation.prove_serving to false."
        ) from error
    logger.info("Serving proof, %s: %s", form, finished.stderr)
    seconds = time.monotonic() - started
    if finished.returncode != 0:
        return _last_line(finished.stderr) or f"it ended with status {finished.returncode}", seconds
    with np.load(answers) as arrays:
        return dict(arrays), seconds


def _last_line(text: str) -> str:
    """The last line of a traceback that says what went wrong."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception"))]
    return (errors or lines or [""])[-1]


def main(arguments: Sequence[str]) -> None:
    """Prints the report."""
    (model_folder,) = arguments
    sys.stdout.write(json.dumps(prove(Path(model_folder), timeout_seconds=3600), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
