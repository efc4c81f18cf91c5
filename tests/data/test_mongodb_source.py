"""A collection of MongoDB as a source: the real client over the wire, killed in the middle, and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bson import ObjectId
from pymongo import MongoClient

from data.errors import SourceError, SourceUnavailable
from data.prepare.__main__ import main
from data.sources.items import ReadSettings, Record
from data.sources.kinds import plan, read
from data.tfrecords import read_examples
from tests.data.mongodb_server import EXECUTABLE, running

pytestmark = [
    pytest.mark.mongodb,
    pytest.mark.skipif(not EXECUTABLE.exists(), reason="needs a MongoDB server: make test-mongodb"),
]
ROOT = Path(__file__).parents[2]
DOCUMENTS = int(os.environ.get("MONGODB_TEST_DOCUMENTS", "20000"))


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running() as found:
        with MongoClient(f"mongodb://127.0.0.1:{found}") as client:
            rows = client.shop.rows
            for start in range(0, DOCUMENTS, 10_000):
                rows.insert_many(
                    {"instruction": f"Question {n}", "output": f"Answer {n}", "kind": n % 2, "extra": {"n": n}}
                    for n in range(start, min(start + 10_000, DOCUMENTS))
                )
            mixed = [{"_id": n, "text": f"int {n}"} for n in range(5)] + [
                {"_id": f"s{n}", "text": str(n)} for n in range(5)
            ]
            client.shop.mixed.insert_many([*mixed, *({"_id": ObjectId(), "text": "object"} for _ in range(5))])
        yield found


def records(address: str, settings: ReadSettings) -> list[Record]:
    return [item for part in plan(address, settings).parts for item in read(part, settings) if isinstance(item, Record)]


def test_a_collection_is_read_in_parts_in_the_order_of_its_ids(port: int) -> None:
    address, settings = f"mongodb://127.0.0.1:{port}/shop/rows", ReadSettings(part_rows=7000, batch_size=100)

    planned, found = plan(address, settings), records(address, settings)

    assert len(planned.parts) == -(-DOCUMENTS // 7000)
    assert planned.facts == ({"name": "shop.rows", "documents": DOCUMENTS},)
    assert [record.fields["extra"]["n"] for record in found] == list(range(DOCUMENTS))
    assert found[0].location == f"shop.rows, _id {found[0].fields['_id']}"


def test_query_and_projection_are_the_users(port: int) -> None:
    settings = ReadSettings(query='{"kind": 1, "extra.n": {"$lt": 9}}', projection='{"output": 1}', part_rows=3)

    found = records(f"mongodb://127.0.0.1:{port}/shop/rows", settings)

    assert [{**record.fields, "_id": 0} for record in found] == [
        {"_id": 0, "output": f"Answer {n}"} for n in (1, 3, 5, 7)
    ]


def test_ids_of_several_types_are_all_read(port: int) -> None:
    found = records(f"mongodb://127.0.0.1:{port}/shop/mixed", ReadSettings(part_rows=4))

    assert len({str(record.fields["_id"]) for record in found}) == len(found) == 15


def test_a_password_in_the_address_and_a_server_that_is_not_there_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SourceError, match="must not hold the password") as caught:
        plan("mongodb://me:secret@host/db/rows", ReadSettings())
    assert "secret" not in str(caught.value)
    monkeypatch.delenv("MONGODB_PASSWORD", raising=False)
    with pytest.raises(SourceError, match=r"The password of user 'me' must be in .* MONGODB_PASSWORD\. Received: none"):
        plan("mongodb://me@127.0.0.1/db/rows", ReadSettings())
    monkeypatch.setattr("data.sources.mongodb._TIMEOUT_MILLISECONDS", 100)
    with pytest.raises(SourceUnavailable, match=r"MongoDB must answer for db\.rows\. Received: .*refused"):
        plan("mongodb://127.0.0.1:9/db/rows", ReadSettings())


def test_the_password_of_the_environment_is_used_and_is_in_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    storage = tmp_path / "server"
    storage.mkdir()
    with running(storage=storage) as port, MongoClient(f"mongodb://127.0.0.1:{port}") as client:
        client.admin.command("createUser", "me", pwd="open sesame", roles=["root"])
        client.shop.rows.insert_many({"instruction": f"Q {n}", "output": f"A {n}"} for n in range(100))
    with running("--auth", storage=storage) as port:
        command = [f"mongodb://me@127.0.0.1:{port}/shop/rows", "--out", str(tmp_path / "out"), "--eval-percent", "20"]
        monkeypatch.setenv("MONGODB_PASSWORD", "wrong")
        assert main(command) == 1
        assert "MongoDB must accept what is asked of shop.rows. Received: " in capfd.readouterr().err
        monkeypatch.setenv("MONGODB_PASSWORD", "open sesame")
        assert main(command) == 0
    everything = b"".join(path.read_bytes() for path in (tmp_path / "out").iterdir()) + capfd.readouterr().out.encode()
    assert b"sesame" not in everything


def test_a_run_that_is_killed_is_resumed_with_no_document_twice_and_none_lost(port: int, tmp_path: Path) -> None:
    out, work = tmp_path / "out", tmp_path / "work"
    part_rows = max(DOCUMENTS // 20, 1)
    command = [
        f"mongodb://127.0.0.1:{port}/shop/rows",
        "--out",
        str(out),
        "--work",
        str(work),
        "--deduplicate",
        "exact",
    ]
    command += ["--mongodb-part-rows", str(part_rows)]
    process = subprocess.Popen([sys.executable, "-m", "data.prepare", *command], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 600
    while len(list(work.glob("done/read-*.json"))) < 5 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path.name: path.stat().st_mtime_ns for path in work.glob("done/read-*.json")}
    assert 5 <= len(finished) < 20
    assert not out.exists()
    with MongoClient(f"mongodb://127.0.0.1:{port}") as client:  # what comes meanwhile is not of this run
        client.shop.rows.insert_one({"instruction": "Late", "output": "Later"})

    log: dict[str, int] = {}
    original = __import__("data.prepare.work", fromlist=["Work"]).Work.remove
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "data.prepare.work.Work.remove",
            lambda self: (
                log.update({p.name: p.stat().st_mtime_ns for p in work.glob("done/read-*.json")}),
                original(self),
            ),
        )
        assert main(command) == 0
    with MongoClient(f"mongodb://127.0.0.1:{port}") as client:
        client.shop.rows.delete_one({"instruction": "Late"})

    assert {name: log[name] for name in finished} == finished
    rows = [row.instruction for path in out.glob("rows-*.tfrecord") for row in read_examples(path)]
    assert sorted(rows) == sorted(f"Question {n}" for n in range(DOCUMENTS))
    assert json.loads((out / "report.json").read_text())["rows_kept"] == DOCUMENTS
