"""Agreement of a form's answers with the reference's: whether they are the same, and how near its figures are.

The Transformers checkpoint is the reference; float32 forms must agree with it, forms with rounded weights must be as
near as :mod:`modules.proving.rounding` says. Choices are compared step by step as long as both forms have chosen the
same tokens: after that they answer different texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer

from modules.models.matrix import Matrix
from modules.proving.answers import Answers
from modules.proving.int8 import rounded
from modules.proving.requests import Requests
from modules.proving.rounding import STORED_WORDS, RoundedForm
from modules.proving.rounding import WORDS as INT8_WORDS

Report = dict[str, Any]
Judge = Callable[[Answers, Answers, Path, Requests], Report]  # reference, answers, model artifact's folder

REFERENCE = "transformers"
CHECKPOINT = "exports/transformers"  # in the model artifact
# Nats between two float32 forms' log-probabilities of any token of the vocabulary, and per token of a scored output.
# The forms sum in different orders; what is measured is about 1e-5.
FLOAT_TOLERANCE = 1e-3


class Step(NamedTuple):
    """One choice of two forms after the same tokens; float32 [V] log-probabilities."""

    expected: np.ndarray
    found: np.ndarray

    @property
    def difference(self) -> float:
        """Returns the largest difference in nats, of the likeliest to the least likely token."""
        return float(np.abs(self.expected.astype(np.float64) - self.found).max())

    @property
    def same_choice(self) -> bool:
        return int(self.expected.argmax()) == int(self.found.argmax())

    @property
    def margin(self) -> float:
        """Nats between the reference's best and second best token."""
        second, best = np.partition(self.expected, -2)[-2:]
        return float(best - second)


FLOAT_WORDS = f"the same answer, log-probabilities within {FLOAT_TOLERANCE:g} nats"
TEXT_WORDS = f"the same text, scores within {FLOAT_TOLERANCE:g} nats a token"


def judge_reference(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    """Reports the reference, which agrees with itself."""
    count = len(requests.prompts)
    words = "finite figures: the reference"
    return {"requests": count, "same_answers": count, "near_ties": 0, "disagreements": [], "tolerance": words,
            "largest": 0.0, "nats": 0.0}  # fmt: skip


def _compare_choices(
    reference: Answers,
    answers: Answers,
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
    """Compares within the tolerance; another choice is allowed only where the two best tokens are nearer than that."""
    largest = max(step.difference for step in steps)
    return largest <= FLOAT_TOLERANCE, largest


def judge_choices(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    """Judges a float32 form that works on tokens."""
    return _compare_choices(reference, answers, requests, judge=_float_agrees, tolerance=FLOAT_WORDS)


def judge_rounded(
    reference: Answers, answers: Answers, model_folder: Path, requests: Requests, *, folder: str
) -> Report:
    """Judges an 8-bit form of CTranslate2, which lies in `folder` of the model artifact."""
    form = RoundedForm(model_folder / CHECKPOINT, requests, reference["ids"], matrix=rounded)
    report = _compare_choices(reference, answers, requests, judge=_judged_by(form), tolerance=INT8_WORDS)
    return report | {"rounding": form.rounding, "saturation": form.saturation(model_folder / folder)}


def judge_weights(
    reference: Answers,
    answers: Answers,
    model_folder: Path,
    requests: Requests,
    *,
    matrix: Callable[[np.ndarray], Matrix],
) -> Report:
    """Judges a form whose weights are rounded and whose arithmetic is float32.

    Args:
        reference: its answers.
        answers: the form's.
        model_folder: the model artifact's.
        requests: what was asked.
        matrix: rounds a weight matrix, float32 [N, K], as the form does.
    """
    form = RoundedForm(model_folder / CHECKPOINT, requests, reference["ids"], matrix=matrix)
    report = _compare_choices(reference, answers, requests, judge=_judged_by(form), tolerance=STORED_WORDS)
    return report | {"rounding": form.rounding}


def _judged_by(form: RoundedForm) -> Callable[[Sequence[Step], int], tuple[bool, float]]:
    def judge(steps: Sequence[Step], index: int) -> tuple[bool, float]:
        return form.judge([step.expected for step in steps], [step.found for step in steps], index)

    return judge


def judge_texts(reference: Answers, answers: Answers, model_folder: Path, requests: Requests) -> Report:
    """Judges a float32 form that works on texts, and scores rows."""
    tokenizer = Tokenizer.from_file(str(model_folder / CHECKPOINT / "tokenizer.json"))
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
    """Returns the largest difference of the negative log-likelihoods per token; infinite if a token is counted
    differently."""
    if not np.array_equal(expected[:, 1], found[:, 1]):
        return float("inf")
    return float((np.abs(expected[:, 0] - found[:, 0]) / np.maximum(expected[:, 1], 1)).max())


def _steps(reference: Answers, answers: Answers, index: int) -> Iterator[Step]:
    """Yields the choices of a request that both made after the same tokens."""
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


def is_finite(answers: Answers) -> bool:
    """Returns whether all figures of a form are numbers."""
    return all(bool(np.isfinite(values).all()) for values in answers.values() if values.dtype == np.float32)
