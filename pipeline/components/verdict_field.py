"""A verdict on a condition, as a field of a record."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from modules.record import RecordPart
from pipeline.evaluation import Verdict


class WrittenVerdict(RecordPart):
    """A verdict as :meth:`Verdict.as_dict` gives it."""

    condition: str
    is_change: bool
    value: float | None
    before: float | None
    passed: bool | None


def _read_verdict(given: Any) -> Verdict:
    if isinstance(given, Verdict):
        return given
    return Verdict.from_dict(WrittenVerdict.model_validate(given).model_dump())


VerdictField = Annotated[Verdict, PlainValidator(_read_verdict), PlainSerializer(Verdict.as_dict)]
