"""A commit as the client sends it: one JSON object a line, a header first, then one operation each."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hub.blobs import BlobStore
from hub.errors import EntryNotFoundError, InvalidRequestError
from hub.manifests import FileEntry, lfs_entry, regular_entry
from hub.names import file_path, sha256_digest


@dataclass(frozen=True)
class Header:
    """The first line of a commit request: title, description and parent commit."""

    title: str
    description: str
    parent_commit: str | None


@dataclass(frozen=True)
class PutFile:
    path: str
    entry: FileEntry


@dataclass(frozen=True)
class DeleteFile:
    path: str


@dataclass(frozen=True)
class DeleteFolder:
    path: str


Operation = PutFile | DeleteFile | DeleteFolder


def read_line(line: bytes, blobs: BlobStore, *, was_sent: Callable[[str], bool]) -> Header | Operation:
    """Reads one line of a commit; a regular file's content is stored on the way, invisible until the commit is.

    `was_sent` tells whether the large file of a sha256 was sent to this repository.
    """
    key, value = _keyed_value(line)
    if key == "header":
        return _header(value)
    if key == "file":
        return _regular_file(value, blobs)
    if key == "lfsFile":
        return _lfs_file(value, blobs, was_sent)
    if key == "deletedFile":
        return DeleteFile(file_path(value.get("path")))
    if key == "deletedFolder":
        path = value.get("path")
        return DeleteFolder(file_path(path.rstrip("/") if isinstance(path, str) else path))
    raise InvalidRequestError(
        f"A line of a commit is a header, file, lfsFile, deletedFile or deletedFolder. Received: key={key!r}"
    )


def apply_operations(files: Mapping[str, FileEntry], operations: Iterable[Operation]) -> dict[str, FileEntry]:
    """Returns the files of a revision after `operations`, which count in the order given.

    Raises:
        EntryNotFoundError: a file or folder to delete is not there.
        InvalidRequestError: a path would be a file and a folder at once.
    """
    changed = dict(files)
    for operation in operations:
        match operation:
            case PutFile(path, entry):
                changed[path] = entry
            case DeleteFile(path):
                _delete_file(changed, path)
            case DeleteFolder(path):
                _delete_folder(changed, path)
    _check_folders(changed)
    return changed


def _keyed_value(line: bytes) -> tuple[object, dict[str, Any]]:
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"A line of a commit must be JSON ({error}). Received: {line[:50]!r}") from error
    if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
        raise InvalidRequestError(f"A line of a commit has a key and a value. Received: {line[:80]!r}")
    return item.get("key"), item["value"]


def _header(value: dict[str, Any]) -> Header:
    title, description = value.get("summary"), value.get("description", "")
    parent_commit = value.get("parentCommit")
    if not isinstance(title, str) or not title.strip():
        raise InvalidRequestError(f"A commit needs a summary. Received: summary={title!r}")
    if not isinstance(description, str) or not isinstance(parent_commit, str | None):
        raise InvalidRequestError("A commit's description and parentCommit are strings.")
    try:
        (title + description).encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError("A commit's summary and description must be valid Unicode.") from error
    return Header(title, description, parent_commit)


def _regular_file(value: dict[str, Any], blobs: BlobStore) -> PutFile:
    path = file_path(value.get("path"))
    content, encoding = value.get("content"), value.get("encoding", "utf-8")
    if not isinstance(content, str) or encoding not in ("base64", "utf-8"):
        raise InvalidRequestError(f"A file's content is a string, in base64 or utf-8. Received: {path}")
    try:
        decoded = base64.b64decode(content, validate=True) if encoding == "base64" else content.encode()
    except (binascii.Error, UnicodeEncodeError, ValueError) as error:
        raise InvalidRequestError(f"The content of {path} is not valid {encoding} ({error}).") from error
    return PutFile(path, regular_entry(decoded, blobs.put(decoded)))


def _lfs_file(value: dict[str, Any], blobs: BlobStore, was_sent: Callable[[str], bool]) -> PutFile:
    path, sha256 = file_path(value.get("path")), sha256_digest(value.get("oid"))
    size = blobs.claim(sha256)
    if size is None or not was_sent(sha256):
        raise InvalidRequestError(f"The large file {path} ({sha256}) must be uploaded first.")
    if value.get("size", size) != size:
        raise InvalidRequestError(f"The large file {path} has {size} bytes. Received: size={value['size']!r}")
    return PutFile(path, lfs_entry(sha256, size))


def _delete_file(files: dict[str, FileEntry], path: str) -> None:
    """Deletes a file, or, as on the Hub, the folder of that name."""
    if any(other.startswith(f"{path}/") for other in files):
        _delete_folder(files, path)
    elif files.pop(path, None) is None:
        raise EntryNotFoundError(f"A file with this name doesn't exist: {path}")


def _delete_folder(files: dict[str, FileEntry], folder: str) -> None:
    inside = [path for path in files if path.startswith(f"{folder}/")]
    if not inside:
        raise EntryNotFoundError(f"A folder with this name doesn't exist: {folder}")
    for path in inside:
        del files[path]


def _check_folders(files: Mapping[str, FileEntry]) -> None:
    for path in files:
        clash = next((str(parent) for parent in PurePosixPath(path).parents if str(parent) in files), None)
        if clash is not None:
            raise InvalidRequestError(f"A path is a file or a folder, not both. Received: {clash} and {path}")
