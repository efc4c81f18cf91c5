"""`python -m data.prepare`: what it writes, what it drops and says, what it refuses, what it leaves alone."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlcroissant
import pytest

from data.alpaca.editions import EDITIONS, Checksum, checksums
from data.origin import MANIFEST, Origin, parse_origin
from data.prepare.__main__ import main
from data.sources.own import RowSource
from data.splits import split_of
from data.text import sample
from data.tfrecords import Row, read_examples, verify
from tests.data.planted_duplicates import plant

REAL = Path(__file__).parents[3] / "shared" / "data" / "alpaca_50k.json.xz"
ROWS = [Row(f"Question {index}", "", f"Answer {index}") for index in range(200)]
FILES = ["croissant.json", "dataset.json", "dropped.jsonl.gz", "report.html", "report.json"]


def made() -> Iterator[Row | dict[str, str]]:
    """Yields rows in two of the forms that a source of one's own may give."""
    yield from ROWS[:100]
    yield from ({"instruction": row.instruction, "output": row.output} for row in ROWS[100:])


SOURCE = RowSource("made", Origin("cc0-1.0", ("me/made",), ("made up",)), made)


def write(path: Path, records: Sequence[Any]) -> str:
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def records(rows: Sequence[Row]) -> list[dict[str, str]]:
    return [row._asdict() for row in rows]


@pytest.fixture
def source(tmp_path: Path) -> str:
    odd = [
        Row("Blank?", "", " "),
        Row("", "x", "y"),
        Row("Marked", "<noinput>", "z"),
        Row(" question 0", "", "ANSWER 0"),
    ]
    return write(tmp_path / "rows.jsonl", [*records(ROWS), *records(odd), '{"instruction": "cut'])


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(folder: Path, split: str) -> list[Row]:
    return [row for path in sorted(folder.glob(f"*-{split}*.tfrecord*")) for row in read_examples(path)]


def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return content


def dropped(folder: Path) -> list[dict[str, Any]]:
    with gzip.open(folder / "dropped.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_the_command_writes_shards_a_side_file_a_report_and_what_describes_them(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    told = ["--license", "cc-by-4.0", "--dataset", "me/rows"]
    assert main([source, "--out", str(out), "--shards", "3", "--eval-percent", "10", *told]) == 0

    shards = ["rows-eval-00000-of-00001.tfrecord", *(f"rows-train-0000{n}-of-00003.tfrecord" for n in range(3))]
    assert files(out) == [*FILES, *shards]
    train, evaluation = read(out, "train"), read(out, "eval")
    assert sorted(train + evaluation) == sorted([*ROWS, Row("Marked", "", "z")])
    assert sorted(evaluation) == sorted(row for row in [*ROWS, Row("Marked", "", "z")] if split_of(row, 10) == "eval")
    assert verify({split: sorted(out.glob(f"*-{split}*")) for split in ("train", "eval")}) == []

    reasons = [(each["reason"], each["location"].rpartition("/")[2]) for each in dropped(out)]
    assert reasons == [
        ("blank output", "rows.jsonl, line 201"),
        ("blank instruction", "rows.jsonl, line 202"),
        ("malformed", "rows.jsonl, line 205"),
        ("duplicate", "rows.jsonl, line 204"),
    ]
    assert dropped(out)[2]["raw"] == '{"instruction": "cut\n'
    assert dropped(out)[3]["row"] == {"instruction": "question 0", "input": "", "output": "ANSWER 0"}
    found = report(out)
    assert [found[name] for name in ("records_read", "rows_read", "rows_kept")] == [205, 205, 201]
    assert found["rows_dropped"] == {"blank instruction": 1, "blank output": 1, "duplicate": 1, "malformed": 1}
    assert found["input_markers"] == {"<noinput>": 1}
    assert found["characters"] == {"p50": 20, "p90": 22, "p99": 22, "p100": 22}
    content = Path(source).read_bytes()
    facts = {"name": "rows.jsonl", "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert found["sources"][0]["files"] == [facts]
    screen = capsys.readouterr().out
    assert screen.startswith(f"205 rows read, 201 kept: {len(train)} train, {len(evaluation)} eval\n")
    assert "rows.jsonl: alpaca (instruction from instruction, input from input, output from output)" in screen
    assert "dropped: 1 blank instruction, 1 blank output, 1 duplicate, 1 malformed\n" in screen
    assert "licence: cc-by-4.0\ndata sets: me/rows\n" in screen


def test_the_manifest_and_the_description_name_every_file_with_its_hash(source: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([source, "--out", str(out), "--license", "cc-by-4.0", "--seed", "7"]) == 0

    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("rows-*")}
    preparation = {"licenses": {"rows.jsonl": "cc-by-4.0"}, "eval_percent": 5.0, "seed": 7, "sha256": hashes}
    assert parse_origin((out / MANIFEST).read_bytes(), "x") == Origin("cc-by-4.0", (), ("rows.jsonl",), preparation)
    description = mlcroissant.Dataset(str(out / "croissant.json")).metadata
    assert {each.name: each.sha256 for each in description.distribution if hasattr(each, "sha256")} == hashes
    assert description.license == ["cc-by-4.0"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert all(digest in page for digest in hashes.values())
    assert 'href="dropped.jsonl.gz"' in page


def test_a_dry_run_tells_what_would_be_dropped_and_writes_nothing(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([source, "--out", str(tmp_path / "out"), "--dry-run"]) == 0

    screen = capsys.readouterr().out
    assert "dropped: 1 blank instruction, 1 blank output, 1 duplicate, 1 malformed\n" in screen
    assert f"  duplicate, such as {source}, line 204 (of {source}, line 1): question 0\n" in screen
    assert screen.endswith("nothing was written: a dry run\n")
    assert files(tmp_path) == ["rows.jsonl"]


def test_rows_of_several_sources_schemas_and_licences_come_together(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("question,answer\n" + "".join(f"Frage {n},Antwort {n}\n" for n in range(50)))
    message = [{"role": "user", "content": "Several?"}, {"role": "assistant", "content": "Yes."}]
    chats = write(tmp_path / "c.jsonl", [{"messages": message}, {"messages": message * 2}])
    out = tmp_path / "out"
    assert (
        main([f"{__name__}:SOURCE", str(tmp_path / "b.csv"), chats, "--out", str(out), "--deduplicate", "exact"]) == 0
    )

    found = report(out)
    assert [(each["schema"].split(" ")[0], each["rows_read"], each["rows_kept"]) for each in found["sources"]] == [
        ("alpaca", 200, 200),
        ("question-answer", 50, 50),
        ("messages", 2, 1),
    ]
    assert found["rows_dropped"] == {"several turns": 1}
    origin = parse_origin((out / MANIFEST).read_bytes(), "x")
    assert (origin.license, origin.datasets) == (None, ("me/made",))
    assert origin.preparation["licenses"] == {"made up": "cc0-1.0", "b.csv": None, "c.jsonl": None}


def test_documents_are_written_as_such_and_a_repeated_one_goes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main([str(sample.SAMPLE), "--separator", "blank-lines", "--out", str(out), "--license", "cc0-1.0"]) == 0

    kept = read(out, "train") + read(out, "eval")
    assert sorted(row.output for row in kept) == sorted(sample.documents())
    assert verify({split: sorted(out.glob(f"*-{split}*")) for split in ("train", "eval")}, kind="text") == []
    assert report(out)["kind"] == "text"


def test_planted_near_duplicates_are_found_and_near_misses_are_not(tmp_path: Path) -> None:
    planted = plant(400)
    out = tmp_path / "out"
    assert main([write(tmp_path / "r.jsonl", records(planted.rows)), "--out", str(out), "--eval-percent", "30"]) == 0

    lines = {int(each["location"].rpartition(" ")[2]) - 1 for each in dropped(out)}
    right = len(lines & planted.original.keys())
    precision, recall = right / len(lines), right / len(planted.original)
    assert planted.near_misses > 150
    assert 2 * precision * recall / (precision + recall) >= 0.95


def test_near_duplicates_whose_answers_differ_stay_in_one_split(tmp_path: Path) -> None:
    planted = plant(150, seed=3)
    rows = [row._replace(output=f"{row.output} Case {n * 7919}.") for n, row in enumerate(planted.rows)]
    out = tmp_path / "out"
    assert main([write(tmp_path / "r.jsonl", records(rows)), "--out", str(out), "--eval-percent", "40"]) == 0

    sides = {row: split for split in ("train", "eval") for row in read(out, split)}
    assert len(sides) == len(rows)
    assert {sides[rows[n]] == sides[rows[base]] for n, base in planted.original.items()} == {True}


def test_groups_are_never_astride(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row._asdict() | {"topic": f"t{n % 40}"} for n, row in enumerate(ROWS)])
    out = tmp_path / "out"
    assert main([path, "--out", str(out), "--eval-percent", "40", "--group", "topic"]) == 0

    train, evaluation = ({ROWS.index(row) % 40 for row in read(out, split)} for split in ("train", "eval"))
    assert train & evaluation == set()
    assert train | evaluation == set(range(40))


def test_another_seed_draws_another_split_and_the_same_seed_the_same(source: str, tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main([source, "--out", str(tmp_path / name), "--seed", seed, "--eval-percent", "30"]) == 0

    assert {
        name: (tmp_path / "a" / name).read_bytes() for name in files(tmp_path / "a") if name != "croissant.json"
    } == {name: (tmp_path / "b" / name).read_bytes() for name in files(tmp_path / "b") if name != "croissant.json"}
    assert set(read(tmp_path / "a", "eval")) != set(read(tmp_path / "c", "eval"))


def test_evaluation_prompts_secrets_and_languages_are_kept_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = "AKIAIOSFODNN7EXAMPLE"
    odd = [
        Row("Tell me who wrote the famous novel about a white whale", "", "Melville"),
        Row("Wer hat den berühmten Roman über den weißen Wal geschrieben?", "", "Das war Herman Melville."),
        Row("Repeat this key of mine.", secret, f"It is {secret}."),
        Row("Blank?", f"with {secret}", " "),
    ]
    prompts = write(tmp_path / "eval.txt", ["Who wrote the famous novel about a white whale?"])
    out = tmp_path / "out"
    arguments = ["--decontaminate", prompts, "--ngram", "6", "--languages", "en", "--scrub"]
    bad = f'{{"instruction": "{secret}'
    path = write(tmp_path / "r.jsonl", [*records([*ROWS, *odd]), bad])
    assert main([path, "--out", str(out), *arguments]) == 0

    found = report(out)
    assert found["rows_dropped"] == {
        "another language": 1, "blank output": 1, "malformed": 1, "overlaps an evaluation prompt": 1,
    }  # fmt: skip
    assert found["scrubbed"] == {"SECRET": 4}
    (overlap,) = [each for each in dropped(out) if each["reason"].startswith("overlaps")]
    assert overlap["detail"].startswith("“who wrote the famous novel about” of “Who wrote")
    everything = (
        capsys.readouterr().out
        + json.dumps(dropped(out))
        + "".join((out / name).read_bytes().decode("utf-8", "replace") for name in files(out))
    )
    assert secret not in everything


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["absent.json"], "error: A source must be an existing file or folder. Received: absent.json. Correct the"),
        (["{source}", "--eval-percent", "0.0001"], "error: Split 'eval' would be empty. Received: 201 usable row(s)"),
        (["{source}", "--license", "CC BY 4.0"], "must be the Hub's identifier of it, such as cc-by-4.0."),
        (["{source}", "--out", "{foreign}"], "which holds notes.txt. Choose another folder."),
        (["{source}", "--max-malformed", "0"], "malformed. Received: 1 of 205, such as\n  {source}, line 205: "),
        (["{source}", "--group", "topic"], "--group must name a column. Received: topic, beside instruction, input"),
        (["{source}", "{text}"], "Sources must be all instructions or all documents. Received: both."),
        (["{empty}"], "the file must hold something. Received: an empty file."),
        (["{source}", "--decontaminate", "{source}"], "An evaluation set must be whole: correct it."),
        (["{source}", "--decontaminate", "{other}"], "an evaluation set must have a column prompt, instruction"),
        (["{cut}"], "The file is cut: fetch it again, or end the line."),
    ],
)  # fmt: skip
def test_a_refusal_says_why_and_writes_nothing(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").write_text("mine")
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "text.txt").write_text("A document.")
    (tmp_path / "cut.jsonl").write_text(json.dumps(ROWS[0]._asdict()) + '\n{"instruction": "cu')
    write(tmp_path / "other.jsonl", [{"a": 1}])
    before = files(tmp_path)
    names = {
        "foreign": "foreign",
        "empty": "empty.jsonl",
        "text": "text.txt",
        "cut": "cut.jsonl",
        "other": "other.jsonl",
    }
    paths = {key: str(tmp_path / name) for key, name in names.items()} | {"source": source}
    given = [argument.format(**paths) for argument in arguments]

    assert main(["--out", str(tmp_path / "out"), *given]) == 1

    assert message.format(**paths) in capsys.readouterr().err
    assert files(tmp_path) == before


def test_only_an_earlier_output_is_replaced(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([source, "--out", str(out), "--shards", "5"]) == 0
    assert main([source, "--out", str(out), "--shards", "2"]) == 0
    assert len(files(out)) == len(FILES) + 3

    (out / "mine.txt").touch()
    assert main([source, "--out", str(out)]) == 1
    assert "must be new, empty or an earlier output. Received:" in capsys.readouterr().err
    assert (out / "mine.txt").exists()


def test_a_public_edition_is_known_by_its_content_whatever_the_file_is_called(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, content = tmp_path / "out", Path(source).read_bytes()
    served = {EDITIONS["cleaned"]: Checksum(len(content), hashlib.sha256(content).hexdigest())}
    monkeypatch.setattr("data.alpaca.editions.checksums", lambda: checksums() | served)
    assert main([source, "--out", str(out)]) == 0
    origin = parse_origin((out / MANIFEST).read_bytes(), MANIFEST)
    assert (origin.license, origin.datasets, origin.sources) == (
        "cc-by-nc-4.0", ("yahma/alpaca-cleaned",), (EDITIONS["cleaned"],),
    )  # fmt: skip
    assert main([source, "--out", str(out), "--license", "mit"]) == 1
    assert "--license is for rows of your own. Received: mit for https://" in capsys.readouterr().err


def test_the_command_imports_no_tensorflow(source: str, tmp_path: Path) -> None:
    arguments = [source, "--out", str(tmp_path / "out")]
    code = f"from data.prepare.__main__ import main; main({arguments}); import sys; "
    code += "sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.skipif(not REAL.exists(), reason="the real Alpaca rows are not beside this checkout")
def test_real_rows_become_files(tmp_path: Path) -> None:
    with lzma.open(REAL, "rt", encoding="utf-8") as file:
        path = write(tmp_path / "rows.jsonl", json.load(file)[:2000])
    assert main([path, "--out", str(tmp_path / "out")]) == 0
    found = report(tmp_path / "out")
    assert (found["rows_read"], found["rows_kept"]) == (2000, 1991)
    assert found["rows_dropped"] == {
        "blank output": 5, "input is a URL": 2, "refused response": 1, "response is URLs": 1,
    }  # fmt: skip
