"""Compares the answers of one model's forms, form by form as each is judged.

The Transformers checkpoint is the reference; :mod:`modules.proving.agreement` has the judges.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from modules.exports import find_form
from modules.proving.agreement import REFERENCE, Judge, Report, is_finite
from modules.proving.answers import Answers
from modules.proving.requests import Requests


def compare(
    found: Mapping[str, Answers | str],
    model_folder: Path,
    requests: Requests,
    *,
    judges: Mapping[str, Judge] = MappingProxyType({}),
) -> dict[str, Report]:
    """Returns each form's report.

    Args:
        found: by form, its answers, or the error that kept it from answering.
        model_folder: gives the tokenizer.
        requests: what was asked.
        judges: of what is no exported form, by name.

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
        elif not is_finite(answers):
            reports[form] = {"error": "its figures are not finite numbers"}
        elif isinstance(reference, str) or not is_finite(reference):
            reports[form] = {"error": f"there is no reference to compare it with: {REFERENCE} cannot be used"}
        else:
            reports[form] = (judges.get(form) or judge_of(form))(reference, answers, model_folder, requests)
    return reports


def judge_of(form: str) -> Judge:
    """Returns what compares the answers of a form with the reference's.

    Raises:
        ValueError: If the form cannot be asked.
    """
    judge = find_form(form).judge
    if judge is None:
        raise ValueError(f"Only a form that can be asked can be judged. Received: {form}.")
    return judge


def reasons_in(report: Mapping[str, Report]) -> list[str]:
    """Returns why the exports are not fit to serve; empty if they are."""
    reasons = [f"{name} cannot serve: {result['error']}" for name, result in report.items() if "error" in result]
    for name, result in report.items():
        if result.get("disagreements"):
            reasons.append(
                f"{name} disagrees with {REFERENCE} on {len(result['disagreements'])} of {result['requests']} "
                f"requests ({result['tolerance']}; largest difference {result['largest']:.3g}"
                f"{_arithmetic_note(result)})"
            )
        if result.get("saturation"):
            reasons.append(f"{name} {result['saturation']}")
    return reasons


def _arithmetic_note(result: Report) -> str:
    return f"; {result['arithmetic']}" if result.get("arithmetic") else ""
