"""Finds the model that is to be served: a folder, or a revision of a Hub, which is downloaded."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from publishing.connection import QUESTION, connect
from publishing.downloads import download_checked
from publishing.files import sha256_of
from publishing.manifest import MANIFEST_PATH, read_manifest
from publishing.settings import HubSettings
from serving.answering.model import ModelFiles
from serving.errors import SourceError
from serving.settings import ModelSource

if TYPE_CHECKING:
    from publishing.hub_client import Hub

NEEDED = ("prompt.json", "tokenizer.json", MANIFEST_PATH)
WAY_OUT = "Run `make run` first, or name a model folder or NAME@REVISION."


@dataclass(frozen=True)
class Revision:
    """A model on disk.

    Attributes:
      name: by which clients know the model.
      fingerprint: of the revision: its dated name where it has one.
      commit: on its Hub; None for a folder.
      files: of the model.
    """

    name: str
    fingerprint: str
    commit: str | None
    files: ModelFiles


def parse_source(text: str | None, *, endpoint: str, storage_dir: Path, work_dir: Path) -> ModelSource:
    """Returns the source that a person named: a folder, `NAME`, `NAME@REVISION`, or nothing."""
    if text is not None and Path(text).is_dir():
        return ModelSource(folder=Path(text))
    name, _, revision = (text or "").partition("@")
    if name and (name.count("/") != 1 or name.startswith((".", "/"))):
        raise SourceError(f"A model is a folder, or namespace/name@revision on a Hub. Received: {text}. {WAY_OUT}")
    return ModelSource(
        repo_id=name or None,
        revision=revision or "main",
        endpoint=endpoint,
        storage_dir=storage_dir,
        work_dir=work_dir,
    )


def find_revision(source: ModelSource, *, form: str) -> Revision:
    """Returns the model on disk, downloaded if need be.

    Args:
      source: where to look.
      form: which exported form is wanted.

    Raises:
      SourceError: there is no such repository or revision.
      DownloadError: a file did not arrive as the Hub lists it.
      ModelFolderError: it has no such form.
      HubError: the Hub refuses or does not answer.
    """
    if source.folder is not None:
        return _revision_of_folder(source.folder, form=form)
    with _open_hub(source) as hub:
        repo_id = source.repo_id or _newest_repository(hub)
        commit = hub.commit_of(repo_id, revision=source.revision)
        folder = _download(hub, repo_id, commit, source.work_dir, form=form)
    return Revision(repo_id, _fingerprint(folder, otherwise=commit[:12]), commit, ModelFiles.find(folder, form=form))


def commit_of(source: ModelSource, repo_id: str) -> str:
    """Returns the commit that the source's revision names now."""
    with _open_hub(source) as hub:
        return hub.commit_of(repo_id, revision=source.revision)


@contextmanager
def _open_hub(source: ModelSource) -> Iterator[Hub]:
    if source.endpoint == "local" and not source.storage_dir.is_dir():
        raise SourceError(
            f"The local Hub must hold a published model. Received: no folder {source.storage_dir}. {WAY_OUT}"
        )
    settings = HubSettings(endpoint=source.endpoint, storage_dir=str(source.storage_dir))
    with connect(settings, read_only=True, patience=QUESTION) as hub:
        yield hub


def _newest_repository(hub: Hub) -> str:
    models = sorted(hub.api.list_models(full=True), key=lambda model: str(model.last_modified), reverse=True)
    if not models:
        raise SourceError(f"A model must be published. Received: a Hub without one at {hub.endpoint}. {WAY_OUT}")
    return str(models[0].id)


def _revision_of_folder(folder: Path, *, form: str) -> Revision:
    files = ModelFiles.find(folder, form=form)
    digest = hashlib.sha256()
    for file in (files.prompt, files.tokenizer, files.generator / "model.bin"):
        digest.update(sha256_of(file).encode())
    fingerprint = _fingerprint(folder, otherwise=f"sha256-{digest.hexdigest()[:12]}")
    return Revision(folder.resolve().name, fingerprint, None, files)


def _fingerprint(folder: Path, *, otherwise: str) -> str:
    path = folder / MANIFEST_PATH
    manifest = read_manifest(path.read_bytes()) if path.is_file() else None
    return manifest.revision if manifest else otherwise


def _download(hub: Hub, repo_id: str, commit: str, work_dir: Path, *, form: str) -> Path:
    """Returns the folder of a commit; what is there already was checked when it came."""
    folder = work_dir / repo_id.replace("/", "--") / f"{commit}-{form}"
    if folder.is_dir():
        return folder
    tree = hub.tree(repo_id, repo_type="model", commit=commit)
    wanted = [file for file in tree if file.path in NEEDED or file.path.startswith(f"{form}/")]
    place = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    download_checked(hub, repo_id, wanted, commit=commit, folder=place)
    place.rename(folder)
    return folder
