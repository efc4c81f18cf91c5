"""Brings a published model's SavedModel back, laid out as the Trainer left it. Knows nothing of TFX."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.components.hf_pusher.hub_client import Hub
    from pipeline.components.hf_pusher.plan import RemoteFile

RECORD = "published.json"
SAVED_MODEL = "saved_model/"
TOKENIZER = "tokenizer.json"
MAIN = "main"


class DownloadError(RuntimeError):
    """A published file arrived with other contents than the Hub lists."""

    user_message = True


@dataclass(frozen=True)
class PublishedFiles:
    """What `main` of a repository held."""

    repo_id: str
    commit: str | None  # None: nothing that can be compared with
    reason: str | None  # then, in words

    @classmethod
    def read(cls, folder: Path) -> PublishedFiles | None:
        """The record that :func:`download_published` left in `folder`, if it did."""
        path = folder / RECORD
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


def download_published(hub: Hub, repo_id: str, folder: Path) -> PublishedFiles:
    """Writes the SavedModel and the tokenizer of `main` into `folder`, as a model artifact of the Trainer has them.

    Args:
        hub: where to look.
        repo_id: model repository, "namespace/name".
        folder: made if absent; nothing but the record is written where nothing was published.

    Raises:
        HubError: If the Hub refuses or does not answer.
        DownloadError: If a file's SHA-256 is not the one that the Hub lists.
    """
    files = _look(hub, repo_id)
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(files, str):
        record = PublishedFiles(repo_id, None, files)
    else:
        commit, wanted = files
        _fetch(hub, repo_id, commit, wanted, folder)
        record = PublishedFiles(repo_id, commit, None)
    (folder / RECORD).write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
    return record


def _look(hub: Hub, repo_id: str) -> tuple[str, list[RemoteFile]] | str:
    """The commit of `main` with the files that are needed of it, or why there are none."""
    if not hub.has_repo(repo_id, repo_type="model"):
        return f"nothing was published to {repo_id} before"
    commit = hub.branches(repo_id, repo_type="model").get(MAIN)
    if commit is None:
        return f"nothing was published to {repo_id} before"
    tree = hub.tree(repo_id, repo_type="model", commit=commit)
    wanted = [file for file in tree if file.path.startswith(SAVED_MODEL) or file.path == TOKENIZER]
    if f"{SAVED_MODEL}saved_model.pb" not in {file.path for file in wanted}:
        return f"main of {repo_id} holds no SavedModel"
    return commit, wanted


def _fetch(hub: Hub, repo_id: str, commit: str, wanted: list[RemoteFile], folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place)
        hub.download_files(repo_id, paths=[file.path for file in wanted], commit=commit, folder=copy)
        for file in wanted:
            check_file(file, copy / file.path)
        shutil.move(copy / SAVED_MODEL, folder / "Format-Serving")
        transformers = folder / "exports" / "transformers"
        transformers.mkdir(parents=True)
        if (copy / TOKENIZER).is_file():
            shutil.move(copy / TOKENIZER, transformers / TOKENIZER)


def check_file(file: RemoteFile, path: Path) -> None:
    """Whether a downloaded file is the one that the Hub lists.

    Raises:
        DownloadError: If its SHA-256 is another.
    """
    if file.sha256 is None:
        return
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        raise DownloadError(
            f"A published file must arrive as the Hub lists it. Received: {file.path} with SHA-256 {found}, "
            f"listed {file.sha256}. Run again."
        )
