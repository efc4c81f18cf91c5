"""Times at which a schedule fires, in the form that Kubeflow reads.

Kubeflow's cron has six fields, seconds first, and takes an expression of five to be one without the day of the
week: "0 3 * * 1" would fire every hour at minute 3, throughout January. It knows no 7 for Sunday, and one time
zone for the whole installation: UTC, unless its scheduledworkflow deployment has CRON_SCHEDULE_TIMEZONE set.
(backend/src/crd/controller/scheduledworkflow of kubeflow/pipelines, with robfig/cron 1.2.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pipeline.errors import PipelineError

MINUTES_PER_HOUR, HOURS_PER_DAY, DAYS_PER_WEEK = 60, 24, 7
MINUTES_PER_DAY = MINUTES_PER_HOUR * HOURS_PER_DAY
COMPARED_DAYS = 730  # two years show every summer time that there is
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
INTERVAL_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class ScheduleTimeError(PipelineError, ValueError):
    """A time that cannot be read, or that Kubeflow cannot keep."""


@dataclass(frozen=True)
class Field:
    """One place of a cron expression."""

    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()  # names of the values, from the first on


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("day of the week", 0, 7, WEEKDAYS),  # 7 is Sunday, as 0 is
)


@dataclass(frozen=True)
class Cron:
    """The moments that match all fields; with both kinds of day limited, either of them will do."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None  # of the month; None for any
    months: frozenset[int] | None
    weekdays: frozenset[int] | None  # 0 is Sunday

    def __str__(self) -> str:
        """Returns the expression in Kubeflow's form, seconds first."""
        minutes = None if len(self.minutes) == MINUTES_PER_HOUR else self.minutes
        hours = None if len(self.hours) == HOURS_PER_DAY else self.hours
        return " ".join(["0", *map(_field, (minutes, hours, self.days, self.months, self.weekdays))])


def read_cron(text: str) -> Cron:
    """Reads the usual five fields: minute, hour, day of the month, month, day of the week.

    Raises:
        ScheduleTimeError: If they cannot be read.
    """
    parts = SHORTHANDS.get(text.strip().lower(), text).split()
    if len(parts) != len(FIELDS):
        raise ScheduleTimeError(
            "A cron expression has five fields: minute, hour, day of the month, month, day of the week. "
            f"Received: {text!r}, {len(parts)} of them. "
            'Write "0 3 * * 1" for Mondays at 3:00, or one of ' + ", ".join(SHORTHANDS) + "."
        )
    minutes, hours, days, months, weekdays = (_values(part, field) for part, field in zip(parts, FIELDS, strict=True))
    return Cron(
        minutes=minutes or frozenset(range(MINUTES_PER_HOUR)),
        hours=hours or frozenset(range(HOURS_PER_DAY)),
        days=days,
        months=months,
        weekdays=weekdays and frozenset(day % DAYS_PER_WEEK for day in weekdays),
    )


def read_interval(text: str) -> int:
    """Seconds of an interval such as 30m, 12h, 7d, 2w.

    Raises:
        ScheduleTimeError: If it is none.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([mhdw])", text.strip().lower())
    if not found:
        raise ScheduleTimeError(
            "An interval is a number and a unit: m, h, d or w. "
            f"Received: {text!r}. Write 7d for once a week, counted from now."
        )
    return int(found[1]) * INTERVAL_SECONDS[found[2]]


def in_zone_of_cluster(cron: Cron, *, zone: str, cluster_zone: str, now: datetime) -> Cron:
    """Returns `cron`, meant in `zone`, as the installation must be told it in its own zone.

    Raises:
        ScheduleTimeError: If there is no such zone; if the zones drift apart in summer, or the shift moves days of
            the month: one expression cannot say that.
    """
    apart = _minutes_apart(zone, cluster_zone, now)
    if apart == frozenset({0}):
        return cron
    if len(apart) > 1:
        raise ScheduleTimeError(
            "Kubeflow keeps all its schedules in one time zone, so another one must be at the same distance all year. "
            f"Received: --time-zone {zone}, --cluster-time-zone {cluster_zone}; one of them has summer time. "
            f"Give the time in {cluster_zone}, or set CRON_SCHEDULE_TIMEZONE={zone} on the deployment "
            f"ml-pipeline-scheduledworkflow and pass --cluster-time-zone {zone}."
        )
    return _shifted(cron, *apart)


def _shifted(cron: Cron, minutes: int) -> Cron:
    moments = {hour * MINUTES_PER_HOUR + minute + minutes for hour in cron.hours for minute in cron.minutes}
    days = {moment // MINUTES_PER_DAY for moment in moments}
    clock = {moment % MINUTES_PER_DAY for moment in moments}
    shifted = replace(
        cron,
        hours=frozenset(moment // MINUTES_PER_HOUR for moment in clock),
        minutes=frozenset(moment % MINUTES_PER_HOUR for moment in clock),
    )
    any_day = cron.days is None and cron.weekdays is None and cron.months is None
    expressible = len(shifted.hours) * len(shifted.minutes) == len(clock)
    if expressible and (any_day or days == {0}):
        return shifted
    if not expressible or len(days) > 1 or cron.days is not None or cron.months is not None:
        raise ScheduleTimeError(
            "The time must be one that Kubeflow's own time zone can express in one cron expression. "
            f"Received: {cron}, {minutes:+} minutes away from it. "
            "Give the time in the cluster's zone, or one that falls on the same day there."
        )
    (day,) = days
    weekdays = frozenset((weekday + day) % DAYS_PER_WEEK for weekday in cron.weekdays or ())
    return replace(shifted, weekdays=weekdays)


def _minutes_apart(zone: str, cluster_zone: str, now: datetime) -> frozenset[int]:
    """Returns how far the cluster's clock is ahead, at every hour change of the next two years."""
    here, there = _zone(zone), _zone(cluster_zone)
    moments = [now.astimezone(UTC) + timedelta(days=day) for day in range(COMPARED_DAYS)]
    return frozenset(int((_offset(moment, there) - _offset(moment, here)).total_seconds()) // 60 for moment in moments)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None, "a time with a zone has an offset"
    return offset


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ScheduleTimeError(
            f"A time zone goes by its name in the tz database. Received: {name!r}. Write UTC or Europe/Berlin."
        ) from error


# ----------------------------------------------------------------------------------------------------- Fields


def _values(text: str, field: Field) -> frozenset[int] | None:
    """Returns the values that a field of an expression names; None for any."""
    if text in ("*", "?"):
        return None
    return frozenset(value for part in text.split(",") for value in _range(part, field))


def _range(text: str, field: Field) -> Iterable[int]:
    span, slash, step = text.partition("/")
    low, dash, high = span.partition("-")
    if span == "*":
        first, last = field.first, min(field.last, field.first + len(field.words) - 1) if field.words else field.last
    else:
        first = _number(low, field, text)
        last = _number(high, field, text) if dash else (field.last if slash else first)
    if first > last or (slash and not re.fullmatch(r"[1-9]\d*", step)):
        raise _unreadable(text, field)
    return range(first, last + 1, int(step) if slash else 1)


def _number(text: str, field: Field, whole: str) -> int:
    if text.upper() in field.words:
        return field.first + field.words.index(text.upper())
    if not re.fullmatch(r"\d+", text, re.ASCII) or not field.first <= int(text) <= field.last:
        raise _unreadable(whole, field)
    return int(text)


def _unreadable(text: str, field: Field) -> ScheduleTimeError:
    return ScheduleTimeError(
        f"The {field.name} of a cron expression is *, a number from {field.first} to {field.last}, a range 1-3, "
        f"a step */2, or a list 1,3 of them. Received: {text!r}."
    )


def _field(values: frozenset[int] | None) -> str:
    return "*" if values is None else ",".join(map(str, sorted(values)))
