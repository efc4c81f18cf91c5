"""A data set of the Hub as a source: the real client against the local Hub."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from huggingface_hub import HfApi, constants
from pyarrow import parquet

from data.errors import SourceError, SourceUnavailable
from data.origin import MANIFEST, parse_origin
from data.prepare.__main__ import main
from data.rows import read_rows
from data.sources.items import ReadSettings
from data.sources.kinds import plan
from data.tfrecords import Row
from hub.server import running

ROWS = [Row(f"Question {index}", "", f"Answer {index}") for index in range(90)]
CARD = "---\nlicense: cc-by-4.0\n---\n# Rows\n"


def table(rows: list[Row]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist([row._asdict() for row in rows]), buffer)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("hub"), port=0) as address:
        hub = HfApi(endpoint=address, token="any")
        hub.create_repo("me/rows", repo_type="dataset")
        files = {
            "README.md": CARD.encode(),
            "data/train-0.parquet": table(ROWS[:40]),
            "data/train-1.parquet": table(ROWS[40:80]),
            "extra.jsonl": "".join(json.dumps(row._asdict()) + "\n" for row in ROWS[80:]).encode(),
        }
        for name, content in files.items():
            hub.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id="me/rows", repo_type="dataset")
        hub.create_tag("me/rows", tag="v1", repo_type="dataset")
        yield address


@pytest.fixture(autouse=True)
def _client(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


def test_the_parquet_files_of_a_revision_are_read_and_its_licence_is_the_sets(tmp_path: Path, endpoint: str) -> None:
    out = tmp_path / "out"
    assert main(["hf://datasets/me/rows@v1", "--out", str(out), "--eval-percent", "20"]) == 0

    commit = HfApi(endpoint=endpoint).dataset_info("me/rows").sha
    origin = parse_origin((out / MANIFEST).read_bytes(), "x")
    assert (origin.license, origin.datasets) == ("cc-by-4.0", ("me/rows",))
    assert origin.sources == (f"hf://datasets/me/rows@{commit}",)
    report = json.loads((out / "report.json").read_text())
    assert (report["rows_read"], report["rows_kept"]) == (80, 80)
    assert [each["name"] for each in report["sources"][0]["files"]] == ["train-0.parquet", "train-1.parquet"]


def test_a_path_behind_the_revision_names_other_files() -> None:
    assert list(read_rows("hf://datasets/me/rows@v1/extra.jsonl")) == ROWS[80:]
    assert list(read_rows("hf://datasets/me/rows@main/data/train-*")) == ROWS[:80]


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://datasets/me/absent@v1", r"must be on the Hub, .* Received: hf://datasets/me/absent@v1; Repository"),
        ("hf://datasets/me/rows@v9", r"must be on the Hub, .* Received: hf://datasets/me/rows@v9; Revision"),
        (
            "hf://datasets/me/rows@v1/x.csv",
            r"must have a file to read\. Received: .*x\.csv, which has \.gitattributes, README\.md",
        ),
    ],
)
def test_what_is_not_there_is_told(address: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        plan(address, ReadSettings())


def test_a_hub_that_does_not_answer_is_told_to_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    with pytest.raises(SourceUnavailable, match=r"The Hub must answer\. Received: ConnectError for hf://"):
        plan("hf://datasets/me/rows@v1", ReadSettings())
