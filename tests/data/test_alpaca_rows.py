import bz2
import gzip
import hashlib
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from data.alpaca.report import percentile
from data.alpaca.rows import drop_reason, is_input_marker, without_input_marker
from data.alpaca.sources import EDITIONS, checksums, read_rows, require_sha256
from data.errors import SourceError
from data.tfrecords import Row

ROWS = [Row("Add 1 and 2.", "", "3"), Row("Translate.", "Grüße", "greetings")]
CONTENT = json.dumps([row._asdict() for row in ROWS]).encode()
LINES = b"\n".join(json.dumps(row._asdict(), ensure_ascii=False).encode() for row in ROWS) + b"\n\n"


def read(tmp_path: Path, name: str, content: bytes) -> list[Row]:
    (tmp_path / name).write_bytes(content)
    return list(read_rows(tmp_path / name))


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", zstd.compress),
    ],
)
def test_lists_and_lines_are_read_plain_and_compressed(tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]):
    assert read(tmp_path, f"rows.json{suffix}", compress(CONTENT)) == ROWS
    assert read(tmp_path, f"rows.jsonl{suffix}", compress(LINES)) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "r.json",
            b'[{"instruction": }]',
            r"r\.json: the file must be JSON\. Received: Expecting value at line 1, column 18",
        ),
        (
            "r.json",
            b'{"instruction": "a"}',
            r"must be one JSON list of rows\. Received: dict\. A file with one",
        ),
        ("r.json", b'["a"]', r"r\.json, row 0: a row must be a JSON object\. Received: str\."),
        ("r.jsonl", LINES + b"{oops", r"r\.jsonl, line 4: the line must be JSON\. Received: Expecting property name"),
        (
            "r.json",
            b'[{"instruction": "a", "prompt": "b", "response": "c"}]',
            r"r\.json, row 0: field 'output' is missing\. Received: instruction, prompt, response\.",
        ),
        (
            "r.jsonl",
            b'{"instruction": "a", "input": "", "output": null}',
            r"r\.jsonl, line 1: field 'output' must be a string\. Received: None\.",
        ),
        (
            "r.jsonl",
            b'{"instruction": "a", "input": 0, "output": "c"}',
            r"r\.jsonl, line 1: field 'input' must be a string\. Received: 0\.",
        ),
        (
            "r.json",
            b'[{"instruction": "a", "input": "", "output": "\\ud83d"}]',
            r"r\.json, row 0: field 'output' cannot be UTF-8\. Received: '\\ud83d' in it\.",
        ),
        (
            "r.json",
            b'[\n"caf\xe9"]',
            r"r\.json: the text must be UTF-8\. Received: byte 0xe9 at column 5 of line 2",
        ),
        (
            "r.jsonl",
            LINES + b"\xff",
            r"r\.jsonl: the text must be UTF-8\. Received: byte 0xff at column 1 of line 4",
        ),
        ("r.csv", b"", r"must be named \.json or \.jsonl, .* Received: r\.csv\."),
        ("r.gz", b"", r"must be named \.json or \.jsonl, .* Received: r\.gz\."),
    ],
)
def test_each_kind_of_bad_source_is_named_with_file_and_place(tmp_path: Path, name: str, content: bytes, message: str):
    with pytest.raises(SourceError, match=message):
        read(tmp_path, name, content)


def test_a_byte_order_mark_and_extra_fields_do_not_matter(tmp_path: Path):
    content = b'\xef\xbb\xbf[{"instruction": "a", "input": "", "output": "b", "text": "c"}]'
    assert read(tmp_path, "rows.json", content) == [Row("a", "", "b")]


@pytest.mark.parametrize("given", ['"input": "", ', '"input": null, ', ""])
def test_a_row_without_an_input_or_with_null_there_has_an_empty_one(tmp_path: Path, given: str):
    entry = f'{{"instruction": "a", {given}"output": "b"}}'.encode()
    assert (
        read(tmp_path, "rows.jsonl", entry) == read(tmp_path, "rows.json", b"[" + entry + b"]") == [Row("a", "", "b")]
    )


def test_both_editions_have_a_checksum_and_name_a_commit():
    assert set(EDITIONS) == {"original", "cleaned"}
    assert set(checksums()) == set(EDITIONS.values())
    assert {len(checksum.sha256) for checksum in checksums().values()} == {64}
    assert {len(url.split("/")[5]) for url in EDITIONS.values()} == {40}


def test_a_source_with_another_checksum_is_refused(tmp_path: Path):
    path = tmp_path / "rows.json"
    path.write_bytes(CONTENT)
    right = hashlib.sha256(CONTENT).hexdigest()
    assert require_sha256(path, right.upper()) == require_sha256(path, None) == right
    with pytest.raises(SourceError, match=rf"Expected: sha256:{'0' * 64}\. Received: sha256:{right}\."):
        require_sha256(path, "0" * 64)


@pytest.mark.parametrize(
    "text",
    ["noinput", "Noinput", "<no input>", "< noinput >", '"<noinput>"', "No input.", "No input required.",
     "No Input Needed", "\\<noinput\\>", "{\\noinput}", ":\n<noinput>"],
)  # fmt: skip
def test_a_marker_is_recognised(text: str):
    assert is_input_marker(text)
    assert without_input_marker(Row("a", text, "b")) == Row("a", "", "b")


@pytest.mark.parametrize(
    "text", ["", "none", "N/A", "The boy <noinput> the ball", "no inputs are wrong", "casino input", "input"]
)
def test_other_inputs_are_left_alone(text: str):
    assert not is_input_marker(text)
    assert without_input_marker(Row("a", text, "b")) == Row("a", text, "b")


def test_rows_are_dropped_for_a_blank_instruction_or_output_only():
    assert drop_reason(Row("a", "", "b")) is None
    assert drop_reason(Row(" \n", "", "b")) == "blank instruction"
    assert drop_reason(Row("a", "x", "\t")) == "blank output"


def test_percentiles_are_nearest_rank():
    values = list(range(1, 11))
    assert [percentile(values, percent) for percent in (50, 90, 99, 100)] == [5, 9, 10, 10]
    assert percentile([7], 50) == 7
