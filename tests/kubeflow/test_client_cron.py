"""When schedules fire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipeline.kubeflow.cron import ScheduleTimeError, in_zone_of_cluster, read_cron, read_interval

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "for_kubeflow"),
    [
        ("0 3 * * 1", "0 0 3 * * 1"),
        ("0 3 * * MON", "0 0 3 * * 1"),
        ("0 3 * * 7", "0 0 3 * * 0"),
        ("30 2,14 1,15 * *", "0 30 2,14 1,15 * *"),
        ("*/20 * * * 1-5", "0 0,20,40 * * * 1,2,3,4,5"),
        ("0 9-17/4 * JAN-MAR ?", "0 0 9,13,17 * 1,2,3 *"),
        ("0 3 * */6 */2", "0 0 3 * 1,7 0,2,4,6"),
        ("* * * * *", "0 * * * * *"),
        ("@weekly", "0 0 0 * * 0"),
    ],
)
def test_five_fields_become_kubeflows_six(written: str, for_kubeflow: str) -> None:
    assert str(read_cron(written)) == for_kubeflow


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("3 * * 1", r"has five fields.*Received: '3 \* \* 1', 4 of them"),
        ("0 0 3 * * 1", r"Received: '0 0 3 \* \* 1', 6 of them"),
        ("60 3 * * 1", r"The minute of a cron expression is .* from 0 to 59, .*Received: '60'\."),
        ("0 24 * * 1", r"The hour of .*Received: '24'\."),
        ("0 3 0 * *", r"The day of the month .*Received: '0'\."),
        ("0 3 * 13 *", r"The month .*Received: '13'\."),
        ("0 3 * * 8", r"The day of the week .*Received: '8'\."),
        ("0 3 * * 5-1", r"The day of the week .*Received: '5-1'\."),
        ("*/0 3 * * *", r"The minute .*Received: '\*/0'\."),
        ("0 3 * * MO", r"The day of the week .*Received: 'MO'\."),
        ("1,,2 3 * * *", r"The minute .*Received: ''\."),
    ],
)
def test_what_is_no_cron_expression_is_refused(written: str, message: str) -> None:
    with pytest.raises(ScheduleTimeError, match=message):
        read_cron(written)


@pytest.mark.parametrize(
    ("written", "zone", "cluster_zone", "for_kubeflow"),
    [
        ("0 3 * * 1", "UTC", "UTC", "0 0 3 * * 1"),
        ("0 3 * * 1", "Asia/Tokyo", "UTC", "0 0 18 * * 0"),
        ("0 20 * * 0", "America/Phoenix", "UTC", "0 0 3 * * 1"),
        ("15 12 * * 1", "Asia/Kolkata", "UTC", "0 45 6 * * 1"),
        ("0 3,15 * * *", "Asia/Tokyo", "UTC", "0 0 6,18 * * *"),
        ("0 12 1 * *", "Asia/Tokyo", "UTC", "0 0 3 1 * *"),
        ("0 3 * * 1", "Europe/Berlin", "Europe/Paris", "0 0 3 * * 1"),
        ("0 3 * * 1", "Europe/Berlin", "Europe/Berlin", "0 0 3 * * 1"),
    ],
)
def test_a_time_is_told_in_the_clusters_zone(written: str, zone: str, cluster_zone: str, for_kubeflow: str) -> None:
    assert str(in_zone_of_cluster(read_cron(written), zone=zone, cluster_zone=cluster_zone, now=NOW)) == for_kubeflow


@pytest.mark.parametrize(
    ("written", "zone", "message"),
    [
        (
            "0 3 * * 1",
            "Europe/Berlin",
            r"summer time\. Give the time in UTC, or set CRON_SCHEDULE_TIMEZONE=Europe/Berl",
        ),
        ("0 3 1 * *", "Asia/Tokyo", r"one that falls on the same day there"),
        ("0 3,15 * * 1", "Asia/Tokyo", r"one that falls on the same day there"),
        ("0,30 3 * * 1", "Asia/Kolkata", r"in one cron expression"),
        ("0 3 * * 1", "Berlin", r"by its name in the tz database\. Received: 'Berlin'"),
    ],
)
def test_a_time_that_kubeflow_cannot_keep_is_refused(written: str, zone: str, message: str) -> None:
    with pytest.raises(ScheduleTimeError, match=message):
        in_zone_of_cluster(read_cron(written), zone=zone, cluster_zone="UTC", now=NOW)


@pytest.mark.parametrize(("written", "seconds"), [("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)])
def test_an_interval_is_a_number_and_a_unit(written: str, seconds: int) -> None:
    assert read_interval(written) == seconds


@pytest.mark.parametrize("written", ["", "7", "d", "0d", "-1h", "1.5h", "7 days"])
def test_what_is_no_interval_is_refused(written: str) -> None:
    with pytest.raises(ScheduleTimeError, match=r"An interval is a number and a unit"):
        read_interval(written)
