"""The one reader of sources: what a file holds, line by line, and what makes it unreadable."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from data.alpaca.sources import read_rows
from data.errors import SourceError
from data.lines import COMPRESSIONS, kind_of, read_json, read_json_lines, read_lines
from data.text.documents import read_documents

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}
ROWS = "".join(json.dumps({"instruction": f"Say {n * 7919 % 1009}.", "output": str(n)}) + "\n" for n in range(4000))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_compressions_are_those_tried_here() -> None:
    assert COMPRESS.keys() == set(COMPRESSIONS)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kept", ["half", "all but the last byte", "three bytes", "nothing"])
def test_a_cut_file_of_any_compression_is_an_error_in_both_converters(suffix: str, kept: str, tmp_path: Path) -> None:
    whole = COMPRESS[suffix](ROWS.encode())
    length = {"half": len(whole) // 2, "all but the last byte": -1, "three bytes": 3, "nothing": 0}[kept]
    path = write(tmp_path / f"rows.jsonl{suffix}", whole[:length])
    message = (
        rf"rows\.jsonl\{suffix}: the \{suffix} file must be whole\. Received: .+\. It is cut or damaged: fetch it "
        r"again, or compress it anew\.$"
    )

    with pytest.raises(SourceError, match=message):
        list(read_rows(path))
    with pytest.raises(SourceError, match=message):
        list(read_documents(path, separator="file", field="output"))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_whole_file_of_any_compression_and_of_several_streams_is_read_to_its_end(suffix: str, tmp_path: Path) -> None:
    half = len(ROWS) // 2
    streams = [COMPRESS[suffix](part.encode()) for part in (ROWS[:half], ROWS[half:])]

    assert list(read_lines(write(tmp_path / f"a{suffix}", b"".join(streams)))) == ROWS.splitlines(keepends=True)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_something_else_under_the_name_of_a_compression_is_an_error(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="It is cut or damaged"):
        list(read_lines(write(tmp_path / f"a.txt{suffix}", "not compressed at all")))


def test_a_zst_file_with_a_long_window_is_read(tmp_path: Path) -> None:
    window = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.enable_long_distance_matching: 1}
    compressor = zstd.ZstdCompressor(options=window)
    packed = compressor.compress(b"one\ntwo\n") + compressor.flush()

    assert list(read_lines(write(tmp_path / "a.txt.zst", packed))) == ["one\n", "two\n"]


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
@pytest.mark.parametrize("bad", ['{"instruction": }', "[1]", '{"instruction": "a"}', '{"instruction": 1}'])
def test_an_error_in_json_lines_names_the_line_of_the_file_whatever_is_blank(
    suffix: str, bad: str, tmp_path: Path
) -> None:
    good = '{"instruction": "a", "output": "b"}'
    path = write(tmp_path / f"r.jsonl{suffix}", COMPRESS.get(suffix, bytes)(f"\n{good}\r\n\n  \n\n{bad}\n".encode()))

    with pytest.raises(SourceError, match=rf"^{path}, line 6: ") as caught:
        list(read_rows(path))
    assert "line 1" not in str(caught.value)


def test_a_byte_that_is_not_utf8_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf{}\n\n  \xff")

    message = r"a\.jsonl: the text must be UTF-8\. Received: byte 0xff at column 3 of line 3\. Save it as UTF-8\."
    with pytest.raises(SourceError, match=message):
        list(read_json_lines(path))


def test_json_is_read_whole_and_its_error_names_the_line(tmp_path: Path) -> None:
    assert read_json(write(tmp_path / "a.json", "\ufeff[1,\n2]")) == [1, 2]
    with pytest.raises(SourceError, match=r"the file must be JSON\. Received: Expecting value at line 2, column 1\."):
        read_json(write(tmp_path / "b.json", "[1,\n]"))


def test_a_file_is_of_the_kind_in_front_of_its_compression() -> None:
    names = ["a.jsonl", "a.jsonl.zst", "a.b.json.gz", "a.gz", "a"]

    assert [kind_of(Path(name)) for name in names] == [".jsonl", ".jsonl", ".json", "", ""]


def test_an_absent_file_stays_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_lines(tmp_path / "absent.txt.zst"))
