"""Repositories, commits and files in the words of the Hub's JSON."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

from hub import front_matter
from hub.blobs import BlobStore
from hub.manifests import Commit, FileEntry, folder_oid
from hub.repository import Repository

CARD: Final = "README.md"


def card_text(commit: Commit, blobs: BlobStore) -> str:
    """Returns the README of a revision, empty where there is none or where it is not one."""
    return small_text(commit, CARD, blobs)


def small_text(commit: Commit, path: str, blobs: BlobStore) -> str:
    """Returns the text of a file that people write, empty where there is none or where it is too large to be one."""
    entry = commit.files.get(path)
    if entry is None or entry.size > front_matter.MAX_BYTES:
        return ""
    return blobs.path(entry.sha256).read_bytes().decode(errors="replace")


def repository_info(
    repository: Repository,
    commit: Commit,
    blobs: BlobStore,
    *,
    with_blobs: bool = False,
    spaces: Iterable[str] = (),
) -> dict[str, Any]:
    """Returns the JSON that `model_info` and its like are made from; `spaces` are those that name this model."""
    settings = repository.settings
    card = front_matter.metadata(card_text(commit, blobs))
    name = str(repository.id)
    info = {
        "_id": hashlib.sha1(f"{repository.id.kind}/{name}".encode(), usedforsecurity=False).hexdigest()[:24],
        "id": name,
        "author": repository.id.namespace,
        "sha": commit.oid,
        "createdAt": settings.created_at,
        "lastModified": commit.created_at,
        "private": settings.private,
        "gated": settings.gated,
        "disabled": False,
        "likes": 0,
        "tags": _tags(card),
        "cardData": card,
        "siblings": [_sibling(path, entry, with_blobs) for path, entry in sorted(commit.files.items())],
        "usedStorage": sum(entry.size for entry in commit.files.values()),
    }
    if repository.id.kind == "models":
        info["spaces"] = list(spaces)
    return info | _kind_info(repository.id.kind, name, settings.sdk, card)


def models_of_space(commit: Commit, blobs: BlobStore) -> list[str]:
    """Returns the models that a Space's card names."""
    return _strings(front_matter.metadata(card_text(commit, blobs)).get("models"))


def file_info(path: str, entry: FileEntry) -> dict[str, Any]:
    """Returns a file in a listing."""
    info: dict[str, Any] = {"type": "file", "path": path, "oid": entry.oid, "size": entry.size}
    if entry.lfs:
        info["lfs"] = {"oid": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return info


def folder_info(path: str, files: Mapping[str, FileEntry]) -> dict[str, Any]:
    """Returns a folder in a listing."""
    return {"type": "directory", "path": path, "oid": folder_oid(files, path), "size": 0}


def commit_info(commit: Commit, *, formatted: bool = False) -> dict[str, Any]:
    """Returns a commit in a history; `formatted`: with its title and description as HTML."""
    info: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.description,
        "date": commit.created_at,
        "authors": [{"user": commit.author}],
    }
    if formatted:
        info["formatted"] = {"title": escape(commit.title), "message": escape(commit.description)}
    return info


def _kind_info(kind: str, name: str, sdk: str | None, card: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "spaces":
        runtime = {"stage": "NO_APP_FILE", "hardware": {"current": None, "requested": None}, "storage": None}
        return {"sdk": sdk, "runtime": runtime, "models": _strings(card.get("models"))}
    if kind == "datasets":
        return {"downloads": 0}
    return {
        "modelId": name,
        "downloads": 0,
        "library_name": _string(card.get("library_name")),
        "pipeline_tag": _string(card.get("pipeline_tag")),
    }


def _tags(card: Mapping[str, Any]) -> list[str]:
    single = [_string(card.get("library_name")), _string(card.get("pipeline_tag"))]
    prefixed = [
        f"{prefix}:{value}"
        for prefix, field in (("base_model", "base_model"), ("dataset", "datasets"), ("license", "license"))
        for value in _strings(card.get(field))
    ]
    listed = _strings(card.get("tags")) + _strings(card.get("language"))
    return list(dict.fromkeys([tag for tag in single if tag] + listed + prefixed))


def _sibling(path: str, entry: FileEntry, with_blobs: bool) -> dict[str, Any]:
    if not with_blobs:
        return {"rfilename": path}
    info: dict[str, Any] = {"rfilename": path, "size": entry.size, "blobId": entry.oid}
    if entry.lfs:
        info["lfs"] = {"sha256": entry.sha256, "size": entry.size, "pointerSize": entry.pointer_size}
    return info


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _strings(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [item for item in items if isinstance(item, str)]
