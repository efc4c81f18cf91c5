"""Addresses of files: paths of this machine, and what fsspec knows, such as s3://, gs://, https:// and memory://."""

from __future__ import annotations

import glob
import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from data.errors import SourceError

_CHUNK_BYTES = 1 << 20
_THREADS = 4  # that hash files; hashlib lets others run meanwhile


class FileFacts(NamedTuple):
    """A file's size and SHA-256, and the bytes at which its lines may be parted."""

    bytes: int
    sha256: str
    cuts: tuple[tuple[int, int], ...]  # byte, and number of the line that starts there


def is_remote(address: str) -> bool:
    """Returns whether fsspec opens `address`."""
    return "://" in address


def open_binary(address: str) -> IO[bytes]:
    """Returns the open file, for reading.

    Raises:
        SourceError: If no package can speak to such an address.
        OSError: If it cannot be opened.
    """
    return cast(IO[bytes], file_system(address).open(address, "rb") if is_remote(address) else Path(address).open("rb"))


def file_system(address: str) -> Any:
    """Returns fsspec's file system of an address.

    Raises:
        SourceError: If its package is not installed.
    """
    import fsspec

    try:
        return fsspec.core.url_to_fs(address)[0]
    except (ImportError, ValueError) as error:
        raise SourceError(
            f"An address must be of a file system that fsspec can open. Received: {address}; {error}. "
            "Install the package that it names into .venv, or copy the file here."
        ) from error


def expand(address: str) -> list[str]:
    """Returns the files that an address names: itself, those that a glob matches, or all below a folder, in order.

    Raises:
        SourceError: If there is none.
    """
    found = _expand_remote(address) if is_remote(address) else _expand_local(address)
    if not found:
        kind = "glob must match files" if glob.has_magic(address) else "source must be an existing file or folder"
        raise SourceError(f"A {kind}. Received: {address}. Correct the path.")
    return found


def _expand_local(address: str) -> list[str]:
    path = Path(address)
    if path.is_dir():
        return sorted(str(each) for each in path.rglob("*") if each.is_file())
    if path.exists() or not glob.has_magic(address):
        return [address] if path.exists() else []
    return sorted(each for each in glob.glob(address, recursive=True) if Path(each).is_file())  # noqa: PTH207


def _expand_remote(address: str) -> list[str]:
    system = file_system(address)
    scheme = address.partition("://")[0]
    if glob.has_magic(address) and scheme not in ("http", "https"):
        return sorted(f"{scheme}://{path.removeprefix(f'{scheme}://')}" for path in system.glob(address))
    if scheme not in ("http", "https") and system.isdir(address):
        return sorted(f"{scheme}://{path.removeprefix(f'{scheme}://')}" for path in system.find(address))
    return [address] if system.exists(address) else []


def file_facts(addresses: list[str], part_bytes: int) -> list[FileFacts]:
    """Returns size, hash and cuts of each file, which are read once for it."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda address: _facts(address, part_bytes), addresses))


def _facts(address: str, part_bytes: int) -> FileFacts:
    digest, size, lines = hashlib.sha256(), 0, 1
    cuts: list[tuple[int, int]] = []
    with open_binary(address) as file:
        while chunk := file.read(min(_CHUNK_BYTES, part_bytes)):
            digest.update(chunk)
            if size + len(chunk) >= part_bytes * (len(cuts) + 1) and (end := chunk.find(b"\n") + 1):
                cuts.append((size + end, lines + 1))
            lines += chunk.count(b"\n")
            size += len(chunk)
    return FileFacts(size, digest.hexdigest(), tuple(cut for cut in cuts if cut[0] < size))


def base_name(address: str) -> str:
    """Returns the last part of an address, which says nothing of the machine."""
    return os.path.basename(address.rstrip("/")) or address  # noqa: PTH119 - an address
