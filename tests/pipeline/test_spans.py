"""The newest data by its pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.spans import PatternError, Span, newest_files


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(folder: Path, pattern: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in newest_files(folder, pattern).paths]


def test_a_plain_pattern_takes_every_file_that_it_matches(tmp_path: Path) -> None:
    write(tmp_path, "a-train.tfrecord", "b-train.tfrecord.gz", "a-eval.tfrecord")

    assert newest_files(tmp_path, "*-train*").span is None
    assert found(tmp_path, "*-train*") == ["a-train.tfrecord", "b-train.tfrecord.gz"]


def test_a_plain_pattern_over_spans_takes_all_of_them_or_a_window(tmp_path: Path) -> None:
    write(tmp_path, "span-1/a-train", "span-2/a-train", "span-3/a-train", "span-3/a-eval")

    assert found(tmp_path, "span-*/*-train*") == ["span-1/a-train", "span-2/a-train", "span-3/a-train"]
    assert found(tmp_path, "span-[23]/*-train*") == ["span-2/a-train", "span-3/a-train"]


def test_spans_are_compared_as_numbers(tmp_path: Path) -> None:
    write(tmp_path, "span-9/a-train", "span-10/a-train", "span-10/b-train", "span-x/a-train")

    assert found(tmp_path, "span-{SPAN}/*-train*") == ["span-10/a-train", "span-10/b-train"]
    assert str(newest_files(tmp_path, "span-{SPAN}/*-train*").span) == "span 10"


def test_the_newest_day_and_its_newest_version_are_taken(tmp_path: Path) -> None:
    write(tmp_path, "2026-02-28/v7/a-train", "2026-11-01/v2/a-train", "2026-11-01/v10/a-train", "latest/v99/a-train")
    newest = newest_files(tmp_path, "{YYYY}-{MM}-{DD}/v{VERSION}/*-train*")

    assert newest.paths == [tmp_path / "2026-11-01/v10/a-train"]
    assert newest.span == Span((2026, 11, 1), 10)
    assert str(newest.span) == "2026-11-01, version 10"


def test_a_width_counts_digits(tmp_path: Path) -> None:
    write(tmp_path, "20261/a", "00002/a")

    assert found(tmp_path, "{SPAN:2}*/a") == ["20261/a"]


def test_nothing_that_matches_is_nothing_found(tmp_path: Path) -> None:
    assert newest_files(tmp_path, "span-{SPAN}/*").paths == []


@pytest.mark.parametrize(
    "pattern", ["{YYYY}-{MM}/a", "{SPAN}/{YYYY}-{MM}-{DD}", "{SPAN}{SPAN}", "v{VERSION}", "{DD:2}"]
)
def test_a_pattern_that_example_gen_cannot_follow_is_refused(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(PatternError, match="names the newest data by"):
        newest_files(tmp_path, pattern)


@pytest.mark.parametrize("pattern", ["span-{SPAN}/*-train*", "{YYYY}{MM}{DD}/v{VERSION}-*-train*", "{SPAN:3}-*-train*"])
def test_it_finds_what_tfx_finds(tmp_path: Path, pattern: str) -> None:
    from tfx.components.example_gen.utils import calculate_splits_fingerprint_span_and_version
    from tfx.proto import example_gen_pb2

    write(tmp_path, *(f"span-{span}/r-train" for span in (1, 2, 12)), "003-r-train", "021-r-train")
    write(tmp_path, "20260131/v1-r-train", "20260131/v3-r-train", "20251231/v9-r-train")
    _, span, version = calculate_splits_fingerprint_span_and_version(
        str(tmp_path), [example_gen_pb2.Input.Split(name="train", pattern=pattern)]
    )

    newest = newest_files(tmp_path, pattern).span
    assert newest is not None
    assert span == (newest.place[0] if len(newest.place) == 1 else 20484)  # days from 1970-01-01 to 2026-01-31
    assert (version or 0) == newest.version
