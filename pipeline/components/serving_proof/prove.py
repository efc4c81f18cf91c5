"""Asks every exported form of a model, each in a fresh process, and compares their answers.

    python -m pipeline.components.serving_proof.prove MODEL_FOLDER

prints the report as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modules.cpu_environment import cpu_environment
from modules.exports import FORMS, ExportForm, find_form
from modules.progress import PartsProgress
from modules.proving.requests import Requests, make_requests
from pipeline.components.serving_proof.comparison import compare
from pipeline.errors import PipelineError

logger = logging.getLogger(__name__)

PROJECT = Path(__file__).parents[3]
PROCESS = "pipeline.components.serving_proof.answering"
PROCESSES = 2  # at once: each may hold the whole model

Found = Mapping[str, np.ndarray] | str  # a form's answers, or the message of its error
# What CTranslate2 says of itself when it loads a model, at the log level that CT2_VERBOSE=1 switches on.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1", "CT2_VERBOSE": "1"}
ARITHMETIC = re.compile(r" - (Selected ISA|SGEMM backend|GEMM_S8 backend|Selected compute type): (\w+)")


class Asked(NamedTuple):
    """The outcome of asking one form.

    Attributes:
        found: its answers, or the message of its error.
        seconds: that it took.
        arithmetic: the matrix library and the instructions that it ran on; None where it does not tell.
    """

    found: Found
    seconds: float
    arithmetic: str | None


class ServingProofError(PipelineError):
    """The forms of a model could not be asked."""


def prove(
    model_folder: Path, *, timeout_seconds: float, requests: Requests | None = None, extra: Sequence[str] = ()
) -> dict[str, Any]:
    """Returns each form's report, as :func:`pipeline.components.serving_proof.comparison.compare` makes it.

    ``seconds`` and ``arithmetic``, as :class:`Asked` has them, are added.

    Args:
        model_folder: a model artifact's.
        timeout_seconds: for the whole proof.
        requests: what to ask; usually :func:`make_requests`.
        extra: forms of the user's own that the model was exported in, as ``export.extra`` names them.

    Raises:
        ServingProofError: If the proof takes longer than that.
    """
    requests = requests or make_requests(model_folder)
    answers = ask_all(model_folder, requests, timeout_seconds=timeout_seconds, extra=extra)
    judges = {form.name: form.judge for form in map(find_form, extra) if form.judge}
    report = compare({form: asked.found for form, asked in answers.items()}, model_folder, requests, judges=judges)
    return {
        form: report[form] | {"seconds": asked.seconds, "arithmetic": asked.arithmetic}
        for form, asked in answers.items()
    }


def forms_to_ask(model_folder: Path, extra: Sequence[str] = ()) -> dict[str, ExportForm]:
    """Returns the forms that a model must serve in, those that take longest first, by what settings call them.

    Args:
        model_folder: a model artifact's; forms that settings may leave out are asked if they are there.
        extra: forms of the user's own.
    """
    there = {
        name: form
        for name, form in FORMS.items()
        if form.export_setting is None or (model_folder / form.artifact_folder).is_dir()
    }
    forms = {name: form for name, form in (there | {name: find_form(name) for name in extra}).items() if form.ask}
    return dict(sorted(forms.items(), key=lambda item: item[1].proof_order))


def ask_all(
    model_folder: Path, requests: Requests, *, timeout_seconds: float, extra: Sequence[str] = ()
) -> dict[str, Asked]:
    """Returns what asking each form gave, by its name; the arguments are :func:`prove`'s."""
    forms = forms_to_ask(model_folder, extra)
    deadline = time.monotonic() + timeout_seconds
    pool = ThreadPoolExecutor(PROCESSES)
    with tempfile.TemporaryDirectory() as folder, PartsProgress("proving", total=len(forms)) as progress:
        progress.begin(f"{len(forms)} exported forms")
        asked = Path(folder, "requests.json")
        asked.write_text(json.dumps(asdict(requests)), encoding="utf-8")
        try:
            running = {
                form.name: pool.submit(_ask, name, model_folder, asked, deadline) for name, form in forms.items()
            }
            for future in running.values():
                future.add_done_callback(lambda _: progress.advance())
            return {form: future.result() for form, future in running.items()}
        finally:
            pool.shutdown(cancel_futures=True)  # nothing more is started once one has failed


def _ask(form: str, model_folder: Path, requests: Path, deadline: float) -> Asked:
    started, answers = time.monotonic(), requests.with_name(f"{form.replace(':', '.')}.npz")
    command = [sys.executable, "-m", PROCESS, form, str(model_folder), str(requests), str(answers)]
    try:
        finished = subprocess.run(
            command,
            cwd=PROJECT,
            env=os.environ | cpu_environment(os.environ) | ENVIRONMENT,
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
        message = _last_line(finished.stderr) or f"it ended with status {finished.returncode}"
        return Asked(message, seconds, arithmetic_in(finished.stderr))
    with np.load(answers) as arrays:
        return Asked(dict(arrays), seconds, arithmetic_in(finished.stderr))


def arithmetic_in(log: str) -> str | None:
    """Returns what CTranslate2's log says of its arithmetic, such as ``int8_float32 by DNNL on AVX2``."""
    logged = dict(ARITHMETIC.findall(log))
    if not logged:
        return None
    kind = logged.get("Selected compute type", "")
    library = logged.get("GEMM_S8 backend" if kind.startswith("int8") else "SGEMM backend")
    return f"{kind} by {library} on {logged.get('Selected ISA')}"


def _last_line(text: str) -> str:
    """Returns the last line of a traceback that says what went wrong."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    errors = [line for line in lines if line.split(":")[0].endswith(("Error", "Exception"))]
    return (errors or lines or [""])[-1]


def main(arguments: Sequence[str]) -> None:
    """Prints the report."""
    (model_folder,) = arguments
    sys.stdout.write(json.dumps(prove(Path(model_folder), timeout_seconds=3600), indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
