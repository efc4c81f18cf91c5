"""Rows that nothing should be trained on: said before anything runs, or by the gate in the anomaly's own words."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from data.records import Example, write_record
from data.tfrecords import Row, encode, write_examples
from pipeline.report.reading.run import read_facts
from pipeline.report.store import find_run, stores
from tests.e2e.conftest import REPOSITORY, Place, free_port
from tests.e2e.test_local_pipeline import ALL

pytestmark = pytest.mark.e2e

ROW = Row("Name the capital of France.", "", "Paris")


def with_two_features(folder: Path) -> None:
    with (folder / "rows-train.tfrecord").open("wb") as file:
        example = Example()
        example.features.feature["instruction"].bytes_list.value.append(b"Say hello.")
        example.features.feature["input"].bytes_list.value.append(b"")
        write_record(file, example.SerializeToString())


def with_cut_file(folder: Path) -> None:
    path = folder / "rows-train.tfrecord"
    path.write_bytes(path.read_bytes()[:-2])


def with_blank_output(folder: Path) -> None:
    write_examples(folder / "rows-train.tfrecord", [ROW, Row("Say hello.", "", "  ")])


def with_bytes_that_are_no_text(folder: Path) -> None:
    with (folder / "rows-train.tfrecord").open("wb") as file:
        write_record(file, encode(ROW).replace(b"Paris", b"\xff\xfe\xfd.."))


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (shutil.rmtree, ["data.path must be a folder"]),
        (with_cut_file, ["rows-train.tfrecord, row 0", "the file is cut"]),
        (with_two_features, ["rows-train.tfrecord, row 0", "'output' is missing"]),
        (with_blank_output, ["rows-train.tfrecord, row 1", "'output' must not be blank"]),
        (with_bytes_that_are_no_text, ["rows-train.tfrecord, row 0", "'output' must be UTF-8"]),
        (lambda folder: (folder / "rows-eval.tfrecord").write_bytes(b""), ["split 'eval'", "must have rows"]),
    ],
)
def test_bad_data_are_refused_before_anything_runs(tmp_path: Path, spoil: object, words: list[str]) -> None:
    folder = tmp_path / "rows"
    write_examples(folder / "rows-train.tfrecord", [ROW])
    write_examples(folder / "rows-eval.tfrecord", [ROW])
    spoil(folder)  # type: ignore[operator]
    place = Place(tmp_path / "output", free_port())

    refused = place.run(data__path=str(folder))

    assert refused.status == 1
    assert refused.out == ""
    for word in words:
        assert word in refused.err
    assert not place.output.exists()


def test_the_gate_stops_the_run_with_the_anomalys_own_words(tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    for split in ("train", "eval"):
        folder.mkdir(exist_ok=True)
        with (folder / f"rows-{split}.tfrecord").open("wb") as file:
            write_record(file, encode(ROW))
    schema = tmp_path / "strict.pbtxt"
    text = (REPOSITORY / "pipeline/schema/alpaca.pbtxt").read_text()
    schema.write_text(text + '\nfeature { name: "source" type: BYTES presence { min_fraction: 1 min_count: 1 } }\n')
    place = Place(tmp_path / "output", free_port())

    stopped = place.run(data__path=str(folder), data__schema=str(schema), training__sequence_length="16")

    assert stopped.status == 1
    assert stopped.ran == ALL[:5]
    assert "feature 'source', split 'train': Column dropped. " in stopped.err
    assert "feature 'source', split 'eval': Column dropped. " in stopped.err
    assert "dropped: 1 of 1 train rows (100.0%) are longer than training.sequence_length=16 tokens" in stopped.err
    assert re.search(r"\d\d tokens keep 100.0% of the rows: set training.sequence_length to \d\d, ", stopped.err)
    assert "Traceback" not in stopped.err
    (log,) = (place.output / "logs").iterdir()
    assert "DataGateError" in log.read_text()
    assert not (place.root / "Trainer").exists()
    assert not (place.output / "hub").exists()
    data = read_facts(find_run(stores(str(place.output)), None)).data  # of a gate that refused, the record stays
    assert data is not None
    assert data.content_hash is not None
    assert data.measured["train rows: longer than training.sequence_length"] == 1.0
    assert {feature.longest for feature in data.splits[0].features} == {len(ROW.instruction), 0, len(ROW.output)}
