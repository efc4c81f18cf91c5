"""`python -m data.text`: what it writes, what it reports, what it leaves alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from data.splits import split_of
from data.text import sample
from data.text.__main__ import main
from data.tfrecords import Row, read_examples, verify, write_examples

DOCUMENTS = [f"Document number {index}." for index in range(200)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    lines = [*DOCUMENTS, " \t", DOCUMENTS[0], "It says <|endoftext|> itself."]
    path = tmp_path / "documents.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in lines), encoding="utf-8")
    return path


def read(folder: Path, split: str) -> list[Row]:
    return [row for path in sorted(folder.glob(f"*-{split}*.tfrecord*")) for row in read_examples(path)]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_command_writes_shards_and_a_report(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    assert main([str(source), "--output-dir", str(out), "--shards", "3", "--eval-percent", "10"]) == 0
    assert files(out) == [
        "dataset.json",
        "report.json",
        "text-eval-00000-of-00001.tfrecord",
        "text-train-00000-of-00003.tfrecord",
        "text-train-00001-of-00003.tfrecord",
        "text-train-00002-of-00003.tfrecord",
    ]
    train, evaluation = read(out, "train"), read(out, "eval")
    kept = [Row("", "", text) for text in [*DOCUMENTS, DOCUMENTS[0], "It says <|endoftext|> itself."]]
    assert sorted(train + evaluation) == sorted(kept)
    assert evaluation == [row for row in kept if split_of(row, 10) == "eval"]
    assert verify({split: sorted(out.glob(f"*-{split}*")) for split in ("train", "eval")}, kind="text") == []

    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["sources"] == [
        {
            "name": "documents.jsonl",
            "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "bytes": source.stat().st_size,
        }
    ]
    assert report["settings"] == {"separator": "file", "field": "text", "eval_percent": 10.0}
    counts = ("documents_read", "documents_kept", "documents_blank", "documents_repeated", "documents_with_end_token")
    assert [report[name] for name in counts] == [203, 202, 1, 1, 1]
    assert report["splits"]["eval"]["documents"] == len(evaluation)
    assert report["characters"] == {"p50": 19, "p90": 20, "p99": 20, "p100": 29}
    told = capsys.readouterr().out
    assert told.startswith(f"203 documents read, 202 written: {len(train)} train (")
    assert "\ndropped: 1 blank\ndocuments that repeat another: 1\n" in told
    assert "1 documents hold a literal <|endoftext|>, which training reads as plain text" in told


def test_fewer_documents_than_shards_leave_no_empty_file(tmp_path: Path) -> None:
    source, out = tmp_path / "few.txt", tmp_path / "out"
    source.write_text("\n\n".join(DOCUMENTS[:6]), encoding="utf-8")

    assert main([str(source), "--separator", "blank-lines", "--output-dir", str(out), "--eval-percent", "50"]) == 0

    train = len(read(out, "train"))
    assert files(out) == [
        "dataset.json",
        "report.json",
        "text-eval-00000-of-00001.tfrecord",
        *(f"text-train-{index:05d}-of-{train:05d}.tfrecord" for index in range(train)),
    ]


def test_the_licence_and_the_sources_go_beside_the_documents(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(source), "--output-dir", str(out), "--license", "cc0-1.0"]) == 0
    assert json.loads((out / "dataset.json").read_text(encoding="utf-8")) == {
        "license": "cc0-1.0",
        "datasets": [],
        "sources": ["documents.jsonl"],
    }


def test_one_document_cannot_be_two_splits_and_nothing_is_left_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "one.txt"
    source.write_text("All of it.\n\nAnd more.", encoding="utf-8")

    assert main([str(source), "--output-dir", str(tmp_path / "out")]) == 1

    assert capsys.readouterr().err == (
        "error: Split 'eval' would be empty. Received: 1 document(s), of which 5 % go to eval. "
        "Give more documents, part the files by --separator, or take another percentage.\n"
    )
    assert files(tmp_path) == ["one.txt"]


def test_only_an_earlier_output_is_replaced(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    command = [str(source), "--output-dir", str(out)]
    assert main(command) == 0
    before = {name: (out / name).read_bytes() for name in files(out)}
    assert main(command) == 0
    assert {name: (out / name).read_bytes() for name in files(out)} == before

    (out / "mine.txt").touch()
    assert main(command) == 1
    assert "must be new, empty or an earlier output. Received:" in capsys.readouterr().err
    assert (out / "mine.txt").exists()


def test_rows_that_are_no_documents_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x-train.tfrecord"
    write_examples(path, [Row("", "", "fine"), Row("Say hello.", "", "hello"), Row("", "x", " ")])

    assert verify({"train": [path]}, kind="text") == [
        f"{path}, row 1: field 'instruction' of a document must be empty: 'Say hello.'",
        f"{path}, row 2: field 'input' of a document must be empty: 'x'",
        f"{path}, row 2: a document must not be blank",
    ]
    assert verify({"train": [path]}) == [
        f"{path}, row 0: field 'instruction' must not be blank",
        f"{path}, row 2: field 'instruction' must not be blank",
        f"{path}, row 2: field 'output' must not be blank",
    ]


def test_generating_the_sample_again_gives_the_committed_file_byte_for_byte(tmp_path: Path) -> None:
    committed = sample.SAMPLE.read_text(encoding="utf-8")

    assert "\n\n".join(sample.documents()) + "\n" == committed
    assert len(list(sample.documents())) == len(set(sample.documents())) == 291
