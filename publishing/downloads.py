"""Downloads a published model and lays it out as the Trainer's model artifact: to start from, or to compare with."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from publishing.errors import DownloadError, NoModelError
from publishing.exports import EXPORTS, TOKENIZER_PATH
from publishing.files import RemoteFile, sha256_of
from publishing.revision_names import MAIN

if TYPE_CHECKING:
    from publishing.hub_client import Hub

RECORD = "published.json"  # beside a baseline model
SAVED_MODEL = f"{EXPORTS['saved_model'].revision_folder}/"
KERAS = f"{EXPORTS['keras'].revision_folder}/"
# At a repository's root, what a Transformers checkpoint in safetensors consists of; other files stay there.
CONFIG, WEIGHTS = "config.json", ".safetensors"
TOKENIZERS = (("vocab.json", "merges.txt"), (TOKENIZER_PATH,))
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class Download:
    """A model that was looked for on a Hub.

    Attributes:
        repo_id: model repository, "namespace/name".
        commit: of the files that were downloaded; None if there was no model.
        reason: why there was none, in words.
    """

    repo_id: str
    commit: str | None
    reason: str | None = None

    @classmethod
    def read(cls, folder: Path) -> Download | None:
        """Returns the record that :func:`download_baseline` left in `folder`, if it did."""
        path = folder / RECORD
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def write(self, folder: Path) -> None:
        """Writes the record into `folder`."""
        (folder / RECORD).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")


def download_baseline(hub: Hub, repo_id: str, folder: Path) -> Download:
    """Writes the SavedModel and the tokenizer of `main` into `folder`, and a record of what was found.

    Args:
        hub: where to look.
        repo_id: model repository, "namespace/name".
        folder: made if absent; nothing but the record is written where nothing was published.

    Raises:
        HubError: If the Hub refuses or does not answer.
        DownloadError: If a file's SHA-256 is not the one that the Hub lists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    commit = hub.branches(repo_id, repo_type="model").get(MAIN) if hub.has_repo(repo_id, repo_type="model") else None
    found = _download_baseline_at(hub, repo_id, commit, folder)
    found.write(folder)
    return found


def _download_baseline_at(hub: Hub, repo_id: str, commit: str | None, folder: Path) -> Download:
    if commit is None:
        return Download(repo_id, None, f"nothing was published to {repo_id} before")
    tree = hub.tree(repo_id, repo_type="model", commit=commit)
    wanted = [file for file in tree if file.path.startswith(SAVED_MODEL) or file.path == TOKENIZER_PATH]
    if f"{SAVED_MODEL}saved_model.pb" not in {file.path for file in wanted}:
        return Download(repo_id, None, f"main of {repo_id} holds no SavedModel")
    _download_files(hub, repo_id, wanted, commit=commit, folder=folder)
    return Download(repo_id, commit)


def download_initial_model(hub: Hub, repo_id: str, *, revision: str, folder: Path) -> Download:
    """Writes the weights and the tokenizer of a revision into `folder`.

    Args:
        hub: where to look.
        repo_id: model repository, "namespace/name".
        revision: branch, tag or commit.
        folder: made if absent.

    Raises:
        HubError: If the Hub does not have the revision, refuses or does not answer.
        NoModelError: If the revision has no model in a form that can be read.
        DownloadError: If a file's SHA-256 is not the one that the Hub lists.
    """
    commit = hub.commit_of(repo_id, revision=revision)
    tree = {file.path: file for file in hub.tree(repo_id, repo_type="model", commit=commit)}
    paths = initial_model_files(tuple(tree))
    if not paths:
        raise NoModelError(
            "Training starts from safetensors with a config.json and a tokenizer, or from a KerasHub preset in keras/. "
            f"Received: {repo_id} at {commit}, which holds {', '.join(sorted(tree)[:8]) or 'nothing'}. "
            "Name a revision that was published with transformers or keras."
        )
    _download_files(hub, repo_id, [tree[path] for path in paths], commit=commit, folder=folder)
    return Download(repo_id, commit)


def initial_model_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Returns, of a repository's files, the smallest set that makes a model; none if there is no such set."""
    root = [path for path in paths if "/" not in path]
    weights = [path for path in root if path.endswith(WEIGHTS)]
    tokenizer = next((names for names in TOKENIZERS if set(names) <= set(root)), None)
    if CONFIG in root and weights and tokenizer:
        index = [INDEX] if INDEX in root else []
        chosen = weights if index else [path for path in weights if path == "model.safetensors"]
        return tuple(sorted((CONFIG, *chosen, *index, *tokenizer))) if chosen else ()
    return tuple(sorted(path for path in paths if path.startswith(KERAS)))


def artifact_path(path: str) -> str:
    """Returns where the Trainer's model artifact has a file that a revision has at `path`."""
    folders = {export.revision_folder: export.model_folder for export in EXPORTS.values()}
    top, _, rest = path.partition("/")
    return f"{folders[top]}/{rest}" if rest else f"{folders['']}/{path}"


def download_checked(hub: Hub, repo_id: str, files: Sequence[RemoteFile], *, commit: str, folder: Path) -> None:
    """Downloads files of a commit into `folder`, each at its path in the repository.

    Raises:
        HubError: If the Hub refuses or does not answer.
        DownloadError: If a file's SHA-256 is not the one that the Hub lists.
    """
    hub.download_files(repo_id, paths=[file.path for file in files], commit=commit, folder=folder)
    for file in files:
        _check_file(file, folder / file.path)


def _download_files(hub: Hub, repo_id: str, files: Sequence[RemoteFile], *, commit: str, folder: Path) -> None:
    """Downloads files beside `folder`'s own, checks them, and moves all of them to their places."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        download_checked(hub, repo_id, files, commit=commit, folder=Path(place))
        for file in files:
            target = folder / artifact_path(file.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(Path(place, file.path), target)


def _check_file(file: RemoteFile, path: Path) -> None:
    if file.sha256 is not None and (found := sha256_of(path)) != file.sha256:
        raise DownloadError(
            f"A published file must arrive as the Hub lists it. Received: {file.path} with SHA-256 {found}, "
            f"listed {file.sha256}. Run again."
        )
