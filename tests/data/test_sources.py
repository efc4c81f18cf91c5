"""Sources: every format plain and compressed, by path, folder, glob and address; what is malformed, and what is cut."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from data.errors import SourceError
from data.rows import read_rows
from data.sources.formats.plain_text import END_TOKEN
from data.sources.items import Item, Malformed, ReadSettings, Record
from data.sources.kinds import plan, read
from data.tfrecords import Row
from modules.prompts.format import END_TOKEN as END_TOKEN_OF_PROMPTS
from tests.data.test_lines import COMPRESS

ROWS = [Row(f"Say “{n}”, please\nand twice.", "" if n % 2 else 'a,\t"b"', f"Ü {n}") for n in range(40)]
RECORDS = [row._asdict() for row in ROWS]
DOCUMENTS = "\ufefffirst\nline\n\n \nsecond <|endoftext|> third\r\n\nfourth\n"


def delimited(delimiter: str) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, ["instruction", "input", "output"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(RECORDS)
    return file.getvalue().encode()


def arrow(open_writer: Callable[..., pa.ipc.RecordBatchFileWriter]) -> bytes:
    buffer, table = io.BytesIO(), pa.Table.from_pylist(RECORDS)
    with open_writer(buffer, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=16):
            writer.write_batch(batch)
    return buffer.getvalue()


def parquet_bytes() -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(RECORDS), buffer, row_group_size=16)
    return buffer.getvalue()


FORMS: dict[str, bytes] = {
    "list.json": json.dumps(RECORDS, indent=1).encode(),
    "lines.jsonl": "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS).encode(),
    "table.csv": b"\xef\xbb\xbf" + delimited(","),
    "table.tsv": delimited("\t"),
    "table.parquet": parquet_bytes(),
    "file.arrow": arrow(pa.ipc.new_file),
    "stream.arrow": arrow(pa.ipc.new_stream),
}


def write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def items(source: str, how: ReadSettings | None = None) -> list[Item]:
    how = how or ReadSettings()
    return [item for part in plan(source, how).parts for item in read(part, how)]


def texts(source: str, separator: str = "file") -> list[str]:
    found = items(source, ReadSettings(separator=separator))
    return [item.fields["text"] for item in found if isinstance(item, Record)]


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_rows_plain_and_compressed(name: str, suffix: str, tmp_path: Path) -> None:
    content = COMPRESS[suffix](FORMS[name]) if suffix else FORMS[name]

    assert list(read_rows(write(tmp_path / f"{name}{suffix}", content))) == ROWS


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
@pytest.mark.parametrize("name", FORMS)
def test_a_cut_file_of_every_format_and_compression_is_an_error(name: str, suffix: str, tmp_path: Path) -> None:
    content = COMPRESS[suffix](FORMS[name]) if suffix else FORMS[name]
    for kept in (len(content) // 2, len(content) - 1):
        with pytest.raises(SourceError, match=name.replace(".", r"\.")):
            list(read_rows(write(tmp_path / f"{name}{suffix}", content[:kept])))


def test_a_stream_that_is_cut_between_two_batches_is_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"after row 40: .* Received: a stream without its end mark"):
        items(write(tmp_path / "a.arrow", FORMS["stream.arrow"][:-8]))


def test_a_damaged_page_of_parquet_is_an_error(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(RECORDS), buffer, write_page_checksum=True, compression="none")
    content = bytearray(buffer.getvalue())
    content[content.index(b"Say")] ^= 1

    with pytest.raises(SourceError, match=r"a\.parquet, after row 0: the file must be whole and of the format parquet"):
        items(write(tmp_path / "a.parquet", bytes(content)))


def test_a_large_file_of_lines_is_read_in_parts_that_number_their_lines(tmp_path: Path) -> None:
    lines = [json.dumps(record | {"note": "x" * (n * 997 % 3000)}) for n, record in enumerate(RECORDS)]
    path = write(tmp_path / "a.jsonl", "\n".join([*lines[:20], "", "{bad", *lines[20:]]) + "\n")
    in_parts = ReadSettings(part_bytes=7000)

    found = items(path, in_parts)

    assert len(plan(path, in_parts).parts) > 3
    assert [item.fields["instruction"] for item in found if isinstance(item, Record)] == [r.instruction for r in ROWS]
    assert [item.location for item in found if isinstance(item, Malformed)] == [f"{path}, line 22"]
    assert found == items(path)


def test_a_file_smaller_than_the_buffer_is_one_part_and_the_facts_are_its_hash(tmp_path: Path) -> None:
    planned = plan(write(tmp_path / "a.json", b"[]"), ReadSettings())

    assert len(planned.parts) == 1
    assert planned.facts == (
        {
            "name": "a.json",
            "sha256": "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
            "bytes": 2,
        },
    )


def test_folders_globs_and_addresses_name_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.jsonl", "deep/c.jsonl", "ignored.md"):
        write(tmp_path / name, json.dumps({"text": name}) + "\n")
    with fsspec.open("memory://rows/d.jsonl", "wb") as file:
        file.write(b'{"text": "remote"}\n')

    assert texts(str(tmp_path)) == ["a.jsonl", "b.jsonl", "deep/c.jsonl"]
    assert texts(f"{tmp_path}/*.jsonl") == ["a.jsonl", "b.jsonl"]
    assert texts(f"{tmp_path}/**/c.jsonl") == ["deep/c.jsonl"]
    assert texts("memory://rows/d.jsonl") == texts("memory://rows/*.jsonl") == texts("memory://rows") == ["remote"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.jsonl", r"A source must be an existing file or folder\. Received: absent\.jsonl\."),
        ("absent-*.jsonl", r"A glob must match files\. Received: absent-\*\.jsonl\."),
        ("{folder}", r"A source folder must hold \.json, .* files\. Received: .*, without any\."),
        ("{folder}/a.md", r"A source must be named \.json, \.jsonl, .* or \.zst behind it\. Received: a\.md\."),
        ("nowhere://bucket/a.jsonl", r"must be of a file system that fsspec can open\. Received: nowhere://"),
        ("no.such.module:ROWS", r"must be an object that can be imported\. Received: 'no\.such\.module:ROWS'"),
        ("json:dumps", r"must be a data\.sources\.own\.RowSource\. Received: 'json:dumps', a function"),
        ("alpaca:best", r"must be alpaca:original or alpaca:cleaned\. Received: alpaca:best\."),
        ("hf://models/x/y", r"must be written hf://datasets/OWNER/NAME@REVISION.* Received: hf://models/x/y"),
        ("tfds:no_such_set", r"A data set of TFDS must exist\. Received: tfds:no_such_set"),
        ("mongodb://host/db", r"must end in /DATABASE/COLLECTION\. Received: mongodb://host/db\."),
    ],
)
def test_a_source_that_cannot_be_read_is_named_with_the_way_out(source: str, message: str, tmp_path: Path) -> None:
    write(tmp_path / "a.md", "x")

    with pytest.raises(SourceError, match=message):
        plan(source.format(folder=tmp_path), ReadSettings())


def test_a_file_without_permission_is_the_systems_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.jsonl", "{}")

    def refused(self: Path, *_: object) -> None:  # root, who may run this, can read everything
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(PermissionError, match=r"Permission denied: .*a\.jsonl"):
        plan(path, ReadSettings())


def malformed(found: list[Item]) -> list[tuple[str, str]]:
    return [(item.location.rpartition("/")[2], item.problem) for item in found if isinstance(item, Malformed)]


def test_malformed_lines_are_told_one_by_one_and_those_around_them_are_read(tmp_path: Path) -> None:
    good = json.dumps(RECORDS[0]).encode()
    bad = [b'{"instruction": }', b"[1]", b"caf\xe9", b"{" + b'"a":{' * 3000, b'"half']
    path = write(tmp_path / "a.jsonl", b"\n".join(part for line in bad for part in (good, b"", line)) + b"\n")

    found = items(path)

    assert [item.fields for item in found if isinstance(item, Record)] == [RECORDS[0]] * 5
    assert [(place, problem.split(" Received: ")[0]) for place, problem in malformed(found)] == [
        ("a.jsonl, line 3", "The line must be JSON."),
        ("a.jsonl, line 6", "A row must be a JSON object."),
        ("a.jsonl, line 9", "The text must be UTF-8."),
        ("a.jsonl, line 12", "The line must be JSON of few levels."),
        ("a.jsonl, line 15", "The line must be JSON."),
    ]
    assert [item.raw for item in found if isinstance(item, Malformed)][2] == "caf\\xe9\n"


def test_a_row_that_is_too_large_is_malformed_and_one_of_fifty_megabytes_is_read(tmp_path: Path) -> None:
    record = {"text": "word " * 10_000_000}
    path = write(tmp_path / "a.jsonl", json.dumps(record) + '\n{"text": "next"}\n')

    assert items(path)[0].fields == record
    small = items(path, replace(ReadSettings(), max_row_bytes=1 << 20))
    assert malformed(small) == [
        (
            "a.jsonl, line 1",
            "A row must have at most 1,048,576 bytes. Received: 50,000,013. --max-row-bytes allows more.",
        )
    ]
    assert small[1].fields == {"text": "next"}


def test_stray_quotes_and_rows_of_another_width_are_malformed_line_by_line(tmp_path: Path) -> None:
    lines = ["question,answer", "a,b", '"x"y,z', "c,d", "one,two,three", '"p', 'q",r', '"t"', "caf\udce9,x", "e,f"]
    path = write(tmp_path / "a.csv", "\r\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))

    found = items(path)

    assert [tuple(item.fields.values()) for item in found if isinstance(item, Record)] == [
        ("a", "b"),
        ("c", "d"),
        ("p\r\nq", "r"),
        ("e", "f"),
    ]
    assert [place for place, _ in malformed(found)] == [f"a.csv, line {n}" for n in (3, 5, 8, 9)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", 'a,b\n1,2\n"3,4\n5,6\n', r"a\.csv, line 3: quotes that open must close\. Received: the end of"),
        ("a.csv", "a,,b\n1,2,3\n", r"line 1: the first row must name the columns, each once\. Received: 'a', '', 'b'"),
        ("a.json", '{"a": 1}', r"must be one JSON list\. Received: '{' as its first character\. .* named \.jsonl"),
        ("a.json", '[{"a": }]', r"Received: Expecting value at line 1\."),
        ("a.json", '[{"a": 1}\n{"a": 2}]', r"Received: '{' instead of , or \] at line 2\."),
        ("a.json", '[{"a": 1}] x', r"Received: 'x' behind its end, at line 1"),
        ("a.json", b'[\n"caf\xe9"]', r"Received: bytes that are no UTF-8 after line 1"),
        ("a.jsonl", '{"a": "b"}\n{"a": "c', r"a\.jsonl, line 2: the last line must be whole\. .* The file is cut"),
        ("a.txt", b"fine\nbad \xff", r"a\.txt, line 2: The text must be UTF-8\. Received: byte 0xff at column 5\."),
        ("a.parquet", "no parquet", r"a\.parquet, after row 0: the file must be whole and of the format parquet"),
    ],
)
def test_a_file_that_cannot_be_read_on_is_an_error_with_its_place(
    name: str, content: str | bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(SourceError, match=message):
        items(write(tmp_path / name, content))


def test_a_json_list_is_read_element_by_element_whatever_their_sizes(tmp_path: Path) -> None:
    values = [{"n": n, "text": "é" * (n * 7919 % 90_000)} for n in range(60)]
    path = write(tmp_path / "a.json", json.dumps(values, ensure_ascii=False, indent=2))

    assert [item.fields for item in items(path)] == values
    mixed = write(tmp_path / "b.json", '[{"a": 1}, 12, null, {"a": 2}]')
    assert [type(item).__name__ for item in items(mixed)] == ["Record", "Malformed", "Malformed", "Record"]


def test_a_text_file_is_one_document_or_parted_at_blank_lines_or_end_tokens(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", DOCUMENTS)

    assert texts(path) == ["first\nline\n\n \nsecond <|endoftext|> third\r\n\nfourth"]
    assert texts(path, "blank-lines") == ["first\nline", "second <|endoftext|> third", "fourth"]
    assert texts(path, "end-token") == ["first\nline\n\n \nsecond", "third\r\n\nfourth"]
    assert END_TOKEN == END_TOKEN_OF_PROMPTS


@settings(deadline=None, max_examples=30)
@given(parts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="<|>")), min_size=1))
def test_what_end_tokens_part_is_read_back(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("parts") / "a.txt", "x" + END_TOKEN.join([*parts, "last"]))

    assert texts(path, "end-token") == [text.strip() for text in ("x" + parts[0], *parts[1:], "last")]
