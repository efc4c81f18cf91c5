"""Files as lines: plain or compressed, whole or an error."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from data.errors import SourceError
from data.lines import COMPRESSIONS, kind_of, read_lines

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}
TEXT = "".join(f'{{"instruction": "Say {n * 7919 % 1009}.", "output": "{n}"}}\n' for n in range(4000)).encode()


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


def contents(address: str) -> list[bytes]:
    return [line.content for line in read_lines(address)]


def test_the_compressions_are_those_tried_here() -> None:
    assert COMPRESS.keys() == set(COMPRESSIONS)


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("kept", ["half", "all but the last byte", "three bytes"])
def test_a_cut_file_of_any_compression_is_an_error(suffix: str, kept: str, tmp_path: Path) -> None:
    whole = COMPRESS[suffix](TEXT)
    length = {"half": len(whole) // 2, "all but the last byte": -1, "three bytes": 3}[kept]
    message = (
        rf"rows\.jsonl\{suffix}: the \{suffix} file must be whole\. Received: .+\. It is cut or damaged: fetch it "
        r"again, or compress it anew\.$"
    )

    with pytest.raises(SourceError, match=message):
        contents(write(tmp_path / f"rows.jsonl{suffix}", whole[:length]))


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
def test_an_empty_file_is_an_error(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"must hold something\. Received: an empty file"):
        contents(write(tmp_path / f"rows.jsonl{suffix}", b""))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_whole_file_of_any_compression_and_of_several_streams_is_read_to_its_end(suffix: str, tmp_path: Path) -> None:
    half = len(TEXT) // 2
    streams = b"".join(COMPRESS[suffix](part) for part in (TEXT[:half], TEXT[half:]))

    assert contents(write(tmp_path / f"a{suffix}", streams)) == TEXT.splitlines(keepends=True)


@pytest.mark.parametrize("suffix", COMPRESS)
def test_something_else_under_the_name_of_a_compression_is_an_error(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="It is cut or damaged"):
        contents(write(tmp_path / f"a.txt{suffix}", b"not compressed at all"))


def test_a_zst_file_with_a_long_window_is_read(tmp_path: Path) -> None:
    window = {zstd.CompressionParameter.window_log: 28, zstd.CompressionParameter.enable_long_distance_matching: 1}
    compressor = zstd.ZstdCompressor(options=window)
    packed = compressor.compress(b"one\ntwo\n") + compressor.flush()

    assert contents(write(tmp_path / "a.txt.zst", packed)) == [b"one\n", b"two\n"]


def test_of_a_line_that_is_too_long_the_first_bytes_are_kept_and_the_rest_is_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"one\n" + b"x" * 25 + b"\nlast")

    lines = list(read_lines(path, max_bytes=10))

    assert [(line.number, line.content, line.length, line.is_whole) for line in lines] == [
        (1, b"one\n", 4, True),
        (2, b"x" * 10, 26, False),
        (3, b"last", 4, True),
    ]


def test_a_file_is_of_the_kind_in_front_of_its_compression() -> None:
    names = ["a.jsonl", "a.jsonl.zst", "a.b.json.gz", "a.gz", "a", "s3://bucket/A.CSV.GZ"]

    assert [kind_of(name) for name in names] == [".jsonl", ".jsonl", ".json", "", "", ".csv"]


def test_an_absent_file_stays_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        contents(str(tmp_path / "absent.txt.zst"))
