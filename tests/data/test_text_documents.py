"""Documents as they are read: separators, compressions, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import SourceError
from data.text import documents
from data.text.documents import read_documents, source_files
from modules.prompts.format import END_TOKEN

TEXT = "\ufefffirst\nline\n\n \nsecond <|endoftext|> third\r\n\nfourth\n"


def texts(path: Path, separator: documents.Separator = "file", field: str = "text") -> list[str]:
    return [document.text for document in read_documents(path, separator=separator, field=field)]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_file_is_one_document_or_parted_at_blank_lines_or_end_tokens(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", TEXT)

    assert texts(path) == ["first\nline\n\n \nsecond <|endoftext|> third\r\n\nfourth"]
    assert texts(path, "blank-lines") == ["first\nline", "second <|endoftext|> third", "fourth"]
    assert texts(path, "end-token") == ["first\nline\n\n \nsecond", "third\r\n\nfourth"]


def test_the_end_token_is_the_one_of_the_prompts() -> None:
    assert documents.END_TOKEN == END_TOKEN


def test_an_end_token_after_the_last_document_makes_no_blank_one(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one<|endoftext|>two<|endoftext|>\n")

    assert texts(path, "end-token") == ["one", "two"]


@given(parts=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="<|>")), min_size=1))
def test_what_end_tokens_part_is_read_back(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("parts") / "a.txt", "x" + END_TOKEN.join([*parts, "last"]))

    assert texts(path, "end-token") == [text.strip() for text in ("x" + parts[0], *parts[1:], "last")]


def test_a_line_of_json_is_a_document(tmp_path: Path) -> None:
    lines = [{"text": " one\n\ntwo ", "body": "b1"}, {"body": "b2", "text": ""}]
    path = write(tmp_path / "a.jsonl", "\n\n".join(json.dumps(line) for line in lines))

    assert texts(path) == ["one\n\ntwo", ""]
    assert texts(path, field="body") == ["b1", "b2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"fine\nbad \xff", r"a\.txt: the text must be UTF-8\. Received: byte 0xff at column 5 of line 2\."),
        (
            "a.jsonl",
            b"{",
            r"a\.jsonl, line 1: the line must be JSON\. Received: Expecting property name .* at column 2\.",
        ),
        ("a.jsonl", b"\n[1]", r"line 2: a row must be a JSON object\. Received: list\."),
        ("a.jsonl", b'{"body": "x"}', r"field 'text' must be a text\. Received: the fields body\. Name .* --field"),
        ("a.jsonl", b'{"text": 3}', r"line 1: field 'text' must be a text\. Received: 3 in it\."),
        ("a.jsonl", b'{"text": "\\ud800"}', r"field 'text' cannot be UTF-8\. Received: '\\ud800' in it\."),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=message):
        texts(write(tmp_path / name, content))


def test_a_folder_gives_its_files_in_the_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    names = ["b.txt", "a.jsonl.gz", "deep/c.txt.zst", "ignored.md"]
    for name in names:
        (tmp_path / name).touch()

    found = source_files([tmp_path / "b.txt", tmp_path])

    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "b.txt",
        "a.jsonl.gz",
        "b.txt",
        "deep/c.txt.zst",
    ]


def test_a_source_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"must be an existing file or folder\. Received: .*absent\.txt"):
        source_files([tmp_path / "absent.txt"])
    with pytest.raises(SourceError, match=r"must be named \.txt or \.jsonl.* Received: a\.md"):
        source_files([write(tmp_path / "a.md", "x")])
    with pytest.raises(SourceError, match=r"must hold \.txt or \.jsonl files"):
        source_files([tmp_path])
