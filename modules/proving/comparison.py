"""Whether the forms of one model give the same answers, and how near their figures are.

The Transformers checkpoint is the reference; float32 forms must agree with it, the 8-bit form must be as near as
:mod:`modules.proving.rounding` says. Choices are compared step by step as long as both forms have
chosen the same tokens: after that they answer different texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from modules.proving.requests import Requests
from modules.proving.rounding import WORDS as INT8_WORDS
from modules.proving.rounding import RoundedForm

Answers = Mapping[str, np.ndarray]  # as modules.proving.answering says
Report = dict[str, Any]

REFERENCE = "transformers"
# Nats between two float32 forms' log-probabilities of any token of the vocabulary, and per token of a scored output.
# The forms sum in different orders; what is measured is about 1e-5.
FLOAT_TOLERANCE = 1e-3


class Step(NamedTuple):
    """One choice of two forms after the same tokens; float32 [V] log-probabilities."""

    expected: np.ndarray
    found: np.ndarray

    @property
    def difference(self) -> float:
        """Of the likeliest to the least likely token, the largest difference in nats."""
        return float(np.abs(self.expected.astype(np.float64) - self.found).max())

    @property
    def same_choice(self) -> bool:
        return int(self.expected.argmax()) == int(self.found.argmax())

    @property
    def margin(self) -> float:
        """Nats between the reference's best and second best token."""
        second, best = np.partition(self.expected, -2)[-2:]
        return float(best - second)


def compare(found: Mapping[str, Answers | str], model_folder: Path, requests: Requests) -> dict[str, Report]:
    """Each form's report.

    Args:
        found: by form, its answers, or the error that kept it from answering.
        model_folder: gives the tokenizer.
        requests: what was asked.

    Returns:
        By form: ``requests``, ``same_answers``, ``near_ties`` (answers that differ where two tokens are as good as
        equally likely), ``disagreements`` (prompts), ``tolerance`` in words, ``largest`` difference in its unit, and
        ``nats``, the largest difference of log-probabilities; or ``error``. Of the 8-bit form also ``rounding`` and
        ``saturation``, as :meth:`RoundedForm.report` gives them.
    """
    reference = found[REFERENCE]
    reports: dict[str, Report] = {}
    for form, answers in found.items():
        if isinstance(answers, str):
            reports[form] = {"error": answers}
        elif not _finite(answers):
            reports[form] = {"error": "its figures are not finite numbers"}
        elif isinstance(reference, str) or not _finite(reference):
            reports[form] = {"error": f"there is no reference to compare it with: {REFERENCE} cannot be used"}
        else:
            reports[form] = _judge(form)(reference, answers, model_folder, requests)
    return reports


def reasons_in(report: Mapping[str, Report]) -> list[str]:
    """Why the exports are not fit to serve; empty if they are."""
    reasons = [f"{name} cannot serve: {result['error']}" for name, result in report.items() if "error" in result]
    for name, result in report.items():
        if result.get("disagreements"):
            reasons.append(
                f"{name} disagrees with {REFERENCE} on {len(result['disagreements'])} of {result['requests']} "
                f"requests ({result['tolerance']}; largest difference {result['largest']:.3g}{_where(result)})"
            )
        if result.get("saturation"):
            reasons.append(f"{name} {result['saturation']}")
    return reasons


def _where(result: Report) -> str:
    return f"; {result['arithmetic']}" if result.get("arithmetic") else ""


def _judge(form: str) -> Callable[[Answers, Answers, Path, Requests], Report]:
    if form == REFERENCE:
        return _judge_reference
    if form == "saved_model":
        return _judge_texts
    if form == "ctranslate2":
        return _judge_rounded
    return partial(_judge_choices, judge=_float_agrees, tolerance=FLOAT_WORDS)


FLOAT_WORDS = f"the same answer, log-probabilities within {FLOAT_TOLERANCE:g} nats"
TEXT_WORDS = f"the same text, scores within {FLOAT_TOLERANCE:g} nats a token"


def _judge_reference(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    count = len(requests.prompts)
    words = "finite figures: the reference"
    return {"requests": count, "same_answers": count, "near_ties": 0, "disagreements": [], "tolerance": words,
            "largest": 0.0, "nats": 0.0}  # fmt: skip


def _judge_choices(
    reference: Answers,
    answers: Answers,
    model_folder: Path,
    requests: Requests,
    *,
    judge: Callable[[Sequence[Step], int], tuple[bool, float]],
    tolerance: str,
) -> Report:
    wrong, ties, same, largest, nats = [], 0, 0, 0.0, 0.0
    for index, prompt in enumerate(requests.prompts):
        steps = list(_steps(reference, answers, index))
        agrees, difference = judge(steps, index)
        equal = all(step.same_choice for step in steps)
        same, ties = same + equal, ties + (not equal and steps[-1].margin <= 2 * FLOAT_TOLERANCE)
        largest, nats = max(largest, difference), max(nats, max(step.difference for step in steps))
        if not agrees:
            wrong.append(prompt)
    return {"requests": len(requests.prompts), "same_answers": same, "near_ties": ties, "disagreements": wrong,
            "tolerance": tolerance, "largest": largest, "nats": nats}  # fmt: skip


def _float_agrees(steps: Sequence[Step], _index: int) -> tuple[bool, float]:
    """Equal within the tolerance; another choice only where the two best tokens are nearer than that."""
    largest = max(step.difference for step in steps)
    return largest <= FLOAT_TOLERANCE, largest


def _judge_rounded(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    exports = model_folder / "exports"
    form = RoundedForm(exports / "ctranslate2", exports / "transformers", requests, reference["ids"])

    def judge(steps: Sequence[Step], index: int) -> tuple[bool, float]:
        return form.judge([step.expected for step in steps], [step.found for step in steps], index)

    report = _judge_choices(reference, answers, model_folder, requests, judge=judge, tolerance=INT8_WORDS)
    return report | form.report()


def _judge_texts(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    tokenizer = Tokenizer.from_file(str(model_folder / "exports/transformers/tokenizer.json"))
    wrong, ties, same = [], 0, 0
    for index, prompt in enumerate(requests.prompts):
        ids = [token for token in reference["ids"][index].tolist() if token >= 0]
        text = bytes.fromhex(str(answers["texts"][index])).decode("utf-8", "replace")
        equal = text == tokenizer.decode(ids, skip_special_tokens=False)
        certain = min(step.margin for step in _steps(reference, reference, index)) > 2 * FLOAT_TOLERANCE
        same, ties = same + equal, ties + (not equal and not certain)
        if not equal and certain:
            wrong.append(prompt)
    largest = _score_difference(reference["scores"], answers["scores"])
    if not largest <= FLOAT_TOLERANCE:
        wrong = wrong or ["the score signature"]
    return {"requests": len(requests.prompts), "same_answers": same, "near_ties": ties, "disagreements": wrong,
            "tolerance": TEXT_WORDS, "largest": largest, "nats": largest}  # fmt: skip


def _score_difference(expected: np.ndarray, found: np.ndarray) -> float:
    """Largest difference of the negative log-likelihoods per token; infinite if a token is counted differently."""
    if not np.array_equal(expected[:, 1], found[:, 1]):
        return float("inf")
    return float((np.abs(expected[:, 0] - found[:, 0]) / np.maximum(expected[:, 1], 1)).max())


def _steps(reference: Answers, answers: Answers, index: int) -> Iterator[Step]:
    """The choices of a request that both made after the same tokens."""
    for expected, found in zip(_logs(reference, index), _logs(answers, index), strict=False):
        step = Step(expected, found)
        yield step
        if not step.same_choice:
            return


def _logs(answers: Answers, index: int) -> np.ndarray:
    """float32 [steps, V] of one request."""
    start = int(answers["steps"][:index].sum())
    logs: np.ndarray = answers["logs"][start : start + int(answers["steps"][index])]
    return logs


def _finite(answers: Answers) -> bool:
    return all(bool(np.isfinite(values).all()) for values in answers.values() if values.dtype == np.float32)
