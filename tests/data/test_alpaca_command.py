import hashlib
import json
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from data.alpaca.__main__ import main
from data.alpaca.download import fetch
from data.alpaca.sources import EDITIONS, Checksum, checksums
from data.errors import SourceError
from data.origin import MANIFEST, Origin, parse_origin
from data.tfrecords import Row, read_examples, verify

REAL = Path(__file__).parents[3] / "shared" / "data" / "alpaca_50k.json.xz"
ROWS = [Row(f"Question {index}", "", f"Answer {index}") for index in range(200)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    odd = [Row("Blank?", "", " "), Row("", "x", "y"), Row("Marked", "<noinput>", "z"), ROWS[0]]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([row._asdict() for row in [*ROWS, *odd]]))
    return path


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(folder: Path, split: str) -> list[Row]:
    return [row for path in sorted(folder.glob(f"*-{split}*.tfrecord*")) for row in read_examples(path)]


def test_the_command_writes_shards_and_a_report(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out"
    assert main(["--source", str(source), "--out", str(out), "--shards", "3", "--eval-percent", "10"]) == 0
    assert files(out) == [
        "alpaca-eval-00000-of-00001.tfrecord",
        "alpaca-train-00000-of-00003.tfrecord",
        "alpaca-train-00001-of-00003.tfrecord",
        "alpaca-train-00002-of-00003.tfrecord",
        "dataset.json",
        "report.json",
    ]
    train, evaluation = read(out, "train"), read(out, "eval")
    assert sorted(train + evaluation) == sorted([*ROWS, Row("Marked", "", "z"), ROWS[0]])
    assert verify({split: sorted(out.glob(f"*-{split}*")) for split in ("train", "eval")}) == []

    report = json.loads((out / "report.json").read_text())
    assert report["source"] == {
        "name": "rows.json",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
        "bytes": source.stat().st_size,
    }
    assert report["settings"] == {"eval_percent": 10.0, "input_markers": "blank"}
    assert (report["rows_read"], report["rows_kept"], report["rows_repeated"]) == (204, 202, 1)
    assert report["rows_dropped"] == {
        "blank instruction": {"rows": 1, "examples": [{"row": 201, "instruction": ""}]},
        "blank output": {"rows": 1, "examples": [{"row": 200, "instruction": "Blank?"}]},
    }
    assert report["rows_with_input_marker"] == {"<noinput>": 1}
    assert report["splits"]["train"]["rows"] == len(train)
    assert report["splits"]["eval"] == {"rows": len(evaluation), "files": files(out)[:1]}
    assert report["characters"]["output"] == {"p50": 9, "p90": 10, "p99": 10, "p100": 10}
    assert capsys.readouterr().out == (
        f"204 rows read, 202 written: {len(train)} train, {len(evaluation)} eval; see {out / 'report.json'}\n"
        "dropped: 1 blank instruction, 1 blank output\n"
        "inputs that only say there is none, made empty: 1\n"
        "rows with an input: 0\n"
        "rows that repeat another: 1\n"
        "evaluation rows whose prompt is in train: 0\n"
        "licence: not known, so a model's card will claim none; name it with --license\n"
    )
    assert parse_origin((out / MANIFEST).read_bytes(), MANIFEST) == Origin(None, (), ("rows.json",))


def test_rows_of_one_prompt_are_all_on_one_side_and_the_screen_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    prompts = [(f"Name a thing of kind {index % 150}.", "noinput" if index % 2 else "") for index in range(1100)]
    path, out = tmp_path / "rows.jsonl", tmp_path / "out"
    lines = (
        {"instruction": asked, "input": given, "output": f"{index}"} for index, (asked, given) in enumerate(prompts)
    )
    path.write_text("\n\n".join(map(json.dumps, lines)))

    assert main(["--source", str(path), "--out", str(out), "--eval-percent", "10"]) == 0

    train, evaluation = ({row[:2] for row in read(out, split)} for split in ("train", "eval"))
    assert (len(train | evaluation), train & evaluation) == (150, set())
    report = json.loads((out / "report.json").read_text())
    assert report["eval_rows_whose_prompt_is_in_train"] == 0
    assert "evaluation rows whose prompt is in train: 0\n" in capsys.readouterr().out


def test_the_licence_and_the_name_of_rows_of_ones_own_go_beside_them(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    told = ["--license", "cc-by-4.0", "--dataset", "me/rows", "--dataset", "them/others"]
    assert main(["--source", str(source), "--out", str(out), *told]) == 0
    origin = Origin("cc-by-4.0", ("me/rows", "them/others"), ("rows.json",))
    assert parse_origin((out / MANIFEST).read_bytes(), MANIFEST) == origin
    assert capsys.readouterr().out.endswith("licence: cc-by-4.0\ndata sets: me/rows, them/others\n")


def test_a_public_edition_is_known_by_its_content_whatever_the_file_is_called(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    out, content = tmp_path / "out", source.read_bytes()
    served = {EDITIONS["cleaned"]: Checksum(len(content), hashlib.sha256(content).hexdigest())}
    monkeypatch.setattr("data.alpaca.sources.checksums", lambda: checksums() | served)
    assert main(["--source", str(source), "--out", str(out)]) == 0
    assert parse_origin((out / MANIFEST).read_bytes(), MANIFEST) == Origin(
        "cc-by-nc-4.0", ("yahma/alpaca-cleaned",), (EDITIONS["cleaned"],)
    )
    assert main(["--source", str(source), "--out", str(out), "--license", "mit"]) == 1
    assert "Alpaca's edition 'cleaned', which is cc-by-nc-4.0. Leave them out." in capsys.readouterr().err


def test_markers_can_be_kept(source: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert main(["--source", str(source), "--out", str(out), "--input-markers", "keep"]) == 0
    assert Row("Marked", "<noinput>", "z") in read(out, "train") + read(out, "eval")


def test_writing_again_replaces_all_shards_and_gives_the_same_bytes(source: Path, tmp_path: Path):
    out, other = tmp_path / "out", tmp_path / "other"
    assert main(["--source", str(source), "--out", str(out), "--shards", "5"]) == 0
    assert main(["--source", str(source), "--out", str(out), "--shards", "2"]) == 0
    assert main(["--source", str(source), "--out", str(other), "--shards", "2"]) == 0
    assert len(files(out)) == 5
    assert {name: (out / name).read_bytes() for name in files(out)} == {
        name: (other / name).read_bytes() for name in files(other)
    }


def test_there_are_no_more_shards_than_rows(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row._asdict()) + "\n" for row in ROWS[:8]))
    out = tmp_path / "out"
    assert main(["--source", str(path), "--out", str(out), "--shards", "64", "--eval-percent", "50"]) == 0
    assert len(list(out.glob("*-train-*"))) == len(read(out, "train")) < 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "absent.json"], "error: The source must be an existing file. Received: absent.json.\n"),
        (["--source", "{source}", "--checksum", "sha256:" + "0" * 64], "is not the file that was asked for"),
        (["--source", "{source}", "--eval-percent", "0.0001"], "Split 'eval' would be empty. Received: 202"),
        (["--source", "{source}", "--license", "CC BY 4.0"], "must be the Hub's identifier of it, such as cc-by-4.0."),
        (["--source", "{source}", "--out", "{foreign}"], "which holds notes.txt. Choose another folder."),
    ],
)
def test_a_refusal_is_one_line_and_writes_nothing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    given = [argument.format(source=source, foreign=foreign) for argument in arguments]
    assert main(["--out", str(tmp_path / "out"), *given]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert files(tmp_path) == ["foreign", "rows.json"]
    assert files(foreign) == ["notes.txt"]


def test_an_interrupted_write_leaves_the_earlier_output_whole(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "out"
    assert main(["--source", str(source), "--out", str(out)]) == 0
    before = {name: (out / name).read_bytes() for name in files(out)}

    def full_disk(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data.alpaca.convert.write_examples", full_disk)
    assert main(["--source", str(source), "--out", str(out), "--shards", "2"]) == 1
    assert {name: (out / name).read_bytes() for name in files(out)} == before
    assert files(tmp_path) == ["out", "rows.json"]


def test_the_command_imports_no_tensorflow(source: Path, tmp_path: Path):
    arguments = ["--source", str(source), "--out", str(tmp_path / "out")]
    code = f"from data.alpaca.__main__ import main; main({arguments}); import sys; "
    code += "sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_download_is_cached_and_checked(source: Path, tmp_path: Path):
    class QuietHandler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/rows.json"
    content = source.read_bytes()
    right = Checksum(len(content), hashlib.sha256(content).hexdigest())
    assert fetch(url, right, tmp_path / "downloads").read_bytes() == content
    with pytest.raises(SourceError, match=rf"did not serve .* Received: {len(content)} bytes, sha256:{right.sha256}"):
        fetch(url, right._replace(sha256="0" * 64), tmp_path / "others")
    server.shutdown()
    server.server_close()
    assert fetch(url, right, tmp_path / "downloads").read_bytes() == content
    with pytest.raises(SourceError, match=r"could not be fetched\. Received: .* pass the path of a file you have"):
        fetch(url, right, tmp_path / "offline")


@pytest.mark.skipif(not REAL.exists(), reason="the real Alpaca rows are not beside this checkout")
def test_the_real_rows_convert(tmp_path: Path):
    out = tmp_path / "out"
    assert main(["--source", str(REAL), "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    assert (report["rows_read"], report["rows_kept"]) == (50_000, 49_974)
    assert report["rows_dropped"]["blank output"]["rows"] == 26
    assert {split: side["rows"] for split, side in report["splits"].items()} == {
        "train": 47_440,
        "eval": 2_534,
    }
    assert verify({split: sorted(out.glob(f"*-{split}*")) for split in ("train", "eval")}) == []
