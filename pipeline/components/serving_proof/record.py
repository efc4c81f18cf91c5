"""The record of ServingProof: how near the answers of each exported form are to the reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from modules.record import Record, RecordPart


class FormProof(RecordPart):
    """The result of one exported form that was asked in a process of its own.

    Attributes:
        error: why it could not answer; then all but `seconds` and `arithmetic` is empty.
        requests: that it was asked.
        same_answers: requests that it answered exactly as the reference did.
        near_ties: other answers, where two tokens are as good as equally likely.
        disagreements: prompts that it answered wrongly.
        tolerance: in words.
        largest: the largest difference of a figure, in the tolerance's unit.
        nats: the largest difference of log-probabilities.
        rounding: of the 8-bit form, the largest distance of exact 8-bit arithmetic from the reference.
        saturation: why the 8-bit form's products saturate on some processors; None if they do not.
        seconds: that asking took.
        arithmetic: the matrix library and the instructions that it ran on; None where it does not tell.
    """

    error: str | None = None
    requests: int = 0
    same_answers: int | None = None
    near_ties: int = 0
    disagreements: tuple[str, ...] = ()
    tolerance: str = ""
    largest: float | None = None
    nats: float | None = None
    rounding: float | None = None
    saturation: str | None = None
    seconds: float | None = None
    arithmetic: str | None = None

    @property
    def can_serve(self) -> bool:
        """Returns whether the form answers, and as the reference does."""
        return self.error is None and not self.disagreements


class ProofRecord(Record):
    """ServingProof's findings.

    Attributes:
        forms: by the form's name.
        reasons: why the exports are not fit to serve, in words; none if they are.
    """

    FILE: ClassVar[str] = "report.json"

    forms: Mapping[str, FormProof]
    reasons: tuple[str, ...] = ()
