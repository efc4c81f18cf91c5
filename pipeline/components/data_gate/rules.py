"""From what the rows look like to what is unusual about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from data.tfrecords import Kind
from pipeline.components.data_gate.anomalies import Anomaly, Limits
from pipeline.components.data_gate.record import DataRecord, SplitSurvey
from pipeline.components.data_gate.survey import Finding, Survey, divergence

TRAIN, EVAL = "train", "eval"
# Of fewer rows, chance alone makes the lengths differ: 100 rows of Alpaca are 0.024 from all of them, 200 rows 0.017.
FEWEST_ROWS_TO_COMPARE = 200
MISSING = {
    "skew": "there are not both a train and an eval split",
    "drift": "no earlier run's rows of this folder are known to have been accepted",
}
WAYS_OUT = {
    "skew": "Split the rows at random, raise data.max_skew",
    "drift": "Look at the rows, raise data.max_drift",
}


def content_anomalies(surveys: Mapping[str, Survey], limits: Limits, *, kind: Kind = "instructions") -> list[Anomaly]:
    """Returns what is unusual: rows that are too long, come twice, or give the evaluation away.

    Args:
        surveys: by split.
        limits: what is allowed.
        kind: of what the rows are; a document may have any length, as it is cut.
    """
    found = [_overlong(split, survey, limits) for split, survey in surveys.items() if kind == "instructions"]
    if TRAIN in surveys:
        found.append(
            _share(
                "duplicates",
                surveys[TRAIN].repeated,
                of=f"{surveys[TRAIN].rows:,} train rows",
                rows=surveys[TRAIN].rows,
                allowed=limits.duplicates,
                what="repeat an earlier one, but for case and white space",
                way_out="Remove them, raise data.max_duplicates",
            )
        )
    if EVAL in surveys:
        found.append(
            _share(
                "eval_in_train",
                surveys[EVAL].in_train,
                of=f"{surveys[EVAL].rows:,} evaluation rows",
                rows=surveys[EVAL].rows,
                allowed=limits.eval_in_train,
                what="ask what a train row asks, so that their figures tell what was learnt by heart",
                way_out="Remove them from one of the splits, raise data.max_eval_in_train",
            )
        )
    return [anomaly for anomaly in found if anomaly]


@dataclass(frozen=True)
class Comparison:
    """The rows beside others: how far apart, and what is unusual about that."""

    skew: dict[str, float] | None
    drift: dict[str, float] | None
    anomalies: tuple[Anomaly, ...]
    notes: tuple[str, ...]


def compare(surveys: Mapping[str, Survey], limits: Limits, earlier: DataRecord | None) -> Comparison:
    """Compares the evaluation rows with the train rows, and these with the last accepted run's.

    Args:
        surveys: by split.
        limits: what is allowed.
        earlier: that run's record; None if there is none.
    """
    now = {split: survey.summary() for split, survey in surveys.items()}
    skew, skewed, skew_notes = _compared(
        "skew", now.get(EVAL), now.get(TRAIN), whose=("the evaluation rows", "the train rows"), allowed=limits.skew
    )
    before = earlier.splits.get(TRAIN) if earlier else None
    drift, drifted, drift_notes = _compared(
        "drift", now.get(TRAIN), before, whose=("the train rows", "the last accepted run"), allowed=limits.drift
    )
    return Comparison(skew, drift, (*skewed, *drifted), (*skew_notes, *drift_notes))


def _compared(
    name: str,
    now: SplitSurvey | None,
    before: SplitSurvey | None,
    *,
    whose: tuple[str, str],
    allowed: float,
) -> tuple[dict[str, float] | None, list[Anomaly], list[str]]:
    if now is None or before is None:
        return None, [], [f"{name} was not looked at: {MISSING[name]}"]
    found = distances(now, before)
    if found is None:
        fewest = min(now.rows, before.rows)
        return None, [], [f"{name} was not looked at: {fewest} rows are fewer than {FEWEST_ROWS_TO_COMPARE}"]
    anomalies = [
        Anomaly(name, _shift_words(figure, distance, now, before, whose, allowed), (), WAYS_OUT[name])
        for figure, distance in found.items()
        if distance > allowed
    ]
    return found, anomalies, []


def _overlong(split: str, survey: Survey, limits: Limits) -> Anomaly | None:
    return _share(
        "length",
        survey.overlong,
        of=f"{survey.rows:,} {split} rows",
        rows=survey.rows,
        allowed=limits.overlong,
        what=(
            f"have a prompt of more than {limits.prompt_characters:,} or a response of more than "
            f"{limits.response_characters:,} characters"
        ),
        way_out="Shorten them, raise data.max_prompt_characters, data.max_response_characters or data.max_overlong",
    )


def _share(
    name: str, finding: Finding, *, of: str, rows: int, allowed: float, what: str, way_out: str
) -> Anomaly | None:
    share = finding.rows / rows if rows else 0.0
    if share <= allowed:
        return None
    words = f"{finding.rows:,} of {of} ({share:.1%}) {what}; at most {allowed:.1%} may"
    return Anomaly(name, words, tuple(finding.examples), way_out)


def distances(now: SplitSurvey, before: SplitSurvey) -> dict[str, float] | None:
    """Returns how far two surveys are apart, each 0 to 1; None if there are too few rows to tell.

    Args:
        now: of the rows in question.
        before: of those to compare with.

    Returns:
        ``prompt_characters``, ``response_characters`` (Jensen-Shannon divergence), ``with_input`` (difference of
        the shares).
    """
    if min(now.rows, before.rows) < FEWEST_ROWS_TO_COMPARE:
        return None
    found = {
        f"{part}_characters": divergence(now.characters[part].bins, before.characters[part].bins)
        for part in ("prompt", "response")
    }
    return found | {"with_input": abs(now.with_input - before.with_input)}


def _shift_words(
    figure: str,
    distance: float,
    now: SplitSurvey,
    before: SplitSurvey,
    whose: tuple[str, str],
    allowed: float,
) -> str:
    if figure == "with_input":
        return (
            f"{now.with_input:.0%} of {whose[0]} have an input, and {before.with_input:.0%} of {whose[1]}; "
            f"the two may be {allowed * 100:.3g} points apart"
        )
    part = figure.removesuffix("_characters")
    means = [survey.characters[part].mean for survey in (now, before)]
    return (
        f"the {part}s of {whose[0]} are {means[0]:,.0f} characters long in the mean, those of {whose[1]} "
        f"{means[1]:,.0f}; their lengths are {distance:.3g} apart (Jensen-Shannon divergence, 0 to 1), and at most "
        f"{allowed:.3g} is allowed"
    )
