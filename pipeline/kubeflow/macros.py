"""The time of a scheduled run, inside its parameters: ``gs://rows/[[ScheduledTime.2006-01-02]]``.

Kubeflow 1 filled these in. Kubeflow 2 takes the text as it is (kubeflow/pipelines issue 12494), so the component that
gets it does it; what Kubeflow has filled in already has nothing left to fill in. The layout is Go's: it writes out
2006-01-02 15:04:05.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from pipeline.errors import PipelineError

MACRO = re.compile(r"\[\[(.*?)\]\]")
KNOWN = re.compile(r"(?:ScheduledTime|CurrentTime)(?:\.((?:2006|01|02|15|04|05|[-_/:.T])+))?")
DEFAULT_LAYOUT = "20060102150405"
# Go's example moment, part by part; the year first, for it holds 06's digits.
PARTS = {"2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S"}
PART = re.compile("|".join(PARTS))


class MacroError(PipelineError, ValueError):
    """A macro that cannot be filled in."""


def check(text: str) -> None:
    """Refuses macros in `text` that :func:`fill_in` does not know.

    Raises:
        MacroError: If there is one.
    """
    unknown = [macro for macro in MACRO.findall(text) if not KNOWN.fullmatch(macro)]
    if unknown:
        raise MacroError(
            "A scheduled run's parameter may hold its time: [[ScheduledTime]] or [[CurrentTime]], alone or with a "
            f"layout of digits, as in [[ScheduledTime.2006-01-02]]. Received: [[{unknown[0]}]]."
        )


def fill_in(text: str, now: datetime) -> str:
    """Returns `text` with the time in place of its macros, in UTC; it has none left that :func:`check` lets pass.

    Args:
        text: a parameter's value.
        now: when the component runs, which stands for when the run was scheduled.
    """
    moment = now.astimezone(UTC)
    return MACRO.sub(lambda found: _filled(found, moment), text)


def _filled(found: re.Match[str], moment: datetime) -> str:
    known = KNOWN.fullmatch(found[1])
    if known is None:
        return found[0]
    return moment.strftime(PART.sub(lambda part: PARTS[part[0]], known[1] or DEFAULT_LAYOUT))
