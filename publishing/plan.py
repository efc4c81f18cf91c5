"""What a publication will put where: frozen, comparable values, made without any network.

A revision of a model repository holds, at its root, the Transformers files (which KerasHub's `hf://` loader reads
too), `prompt.json`, `training.json`, the card `README.md` and `manifest.json`, and below it a folder for each other
export that is published. `manifest.json` names the revision, the revisions before it,
and every other file with size and sha256: by it a later run finds what it has already published, and anybody can check
what they downloaded. A signed revision also has `model.sig`, the one file that no manifest can name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from pipeline.components.hf_pusher.errors import PlanError

CARD_PATH = "README.md"
MANIFEST_PATH = "manifest.json"
MANIFEST_FORMAT = 1
SIGNATURE_PATH = "model.sig"

# What each export is: folder of the model artifact -> folder of the revision ("" is its root).
EXPORTS: Mapping[str, tuple[str, str]] = {
    "transformers": ("exports/transformers", ""),
    "keras": ("exports/keras", "keras"),
    "ctranslate2": ("exports/ctranslate2", "ctranslate2"),
    "saved_model": ("Format-Serving", "saved_model"),
    "ctranslate2_float32": ("exports/ctranslate2_float32", "ctranslate2_float32"),
    "adapter": ("exports/adapter", "adapter"),
}
DEFAULT_EXPORTS = ("transformers", "keras", "ctranslate2", "saved_model")
# The tokenizer belongs to every revision, whichever exports it holds: the Space and CTranslate2 read it too.
TOKENIZER_PATH = "tokenizer.json"
_TRANSFORMERS_FOLDER = EXPORTS["transformers"][0]
# The first line of a Space's commit, by which a later run knows what it serves.
SPACE_TITLE = r"Serve (?P<repo_id>\S+)@(?P<revision>v\d{8}-\d{6}) at (?P<commit>[0-9a-f]{40})"
# File of the model artifact -> file of the revision.
MODEL_FILES: Mapping[str, str] = {
    "exports/prompt.json": "prompt.json",
    "exports/training.json": "training.json",
}
# Files that the Hub itself puts into a new repository; they belong to no plan.
HUB_OWN_FILES = frozenset({".gitattributes"})

_READ_SIZE_BYTES = 1 << 20
_REVISION = re.compile(r"v\d{8}-\d{6}")
_PICKLE_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")  # the second byte; the first protocols have no mark
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"})
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class PlannedFile:
    """One file of a commit: its path in the repository, its bytes or where they lie, and their checksums."""

    path: str
    source: Path | bytes
    size_bytes: int
    sha256: str
    git_oid: str  # sha1 that git, and the Hub for files outside LFS, gives the content

    @classmethod
    def from_bytes(cls, path: str, content: bytes) -> PlannedFile:
        sha256, git_oid = _digests([content], size_bytes=len(content))
        return cls(path=path, source=content, size_bytes=len(content), sha256=sha256, git_oid=git_oid)

    @classmethod
    def from_file(cls, path: str, file: Path) -> PlannedFile:
        size_bytes = file.stat().st_size
        with file.open("rb") as stream:
            sha256, git_oid = _digests(iter(lambda: stream.read(_READ_SIZE_BYTES), b""), size_bytes=size_bytes)
        return cls(path=path, source=file, size_bytes=size_bytes, sha256=sha256, git_oid=git_oid)


@dataclass(frozen=True)
class RemoteFile:
    """One file as the Hub lists it: LFS files carry a sha256, the others git's own sha1."""

    path: str
    size_bytes: int
    sha256: str | None
    git_oid: str


@dataclass(frozen=True)
class PastRevision:
    """A revision that was there before: its name and its commit."""

    revision: str
    commit: str


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says: the revision, earlier ones (newest first), and sha256 and size of every other file."""

    revision: str
    history: tuple[PastRevision, ...] = ()
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """The exact content of one repository at one revision."""

    repo_id: str
    repo_type: str  # "model" | "space"
    revision: str
    title: str  # first line of the commit message
    files: tuple[PlannedFile, ...]

    def __post_init__(self) -> None:
        paths = sorted(file.path for file in self.files)
        twice = sorted({a for a, b in pairwise(paths) if a == b})
        if twice:
            raise PlanError(f"Each path may be filled once. Received two files for: {', '.join(twice)}.")

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    @property
    def signature(self) -> bytes | None:
        """The revision's signature; None when it is not signed."""
        found = [file.source for file in self.files if file.path == SIGNATURE_PATH]
        return found[0] if found and isinstance(found[0], bytes) else None

    @property
    def signed_files(self) -> tuple[PlannedFile, ...]:
        """What a signature is about: all files but itself."""
        return tuple(file for file in self.files if file.path != SIGNATURE_PATH)

    def signed(self, signature: bytes) -> Plan:
        """This plan with a signature."""
        return replace(self, files=(*self.signed_files, PlannedFile.from_bytes(SIGNATURE_PATH, signature)))

    def render(self) -> str:
        """The plan as text: one line for the target, one for each file."""
        head = f"{self.repo_type} {self.repo_id} @ {self.revision}: {len(self.files)} files, {self.size_bytes} bytes"
        lines = (f"  {file.sha256[:12]}  {file.size_bytes:>12}  {file.path}" for file in self.files)
        return "\n".join([head, *lines])

    def differences(self, remote: Iterable[RemoteFile]) -> list[str]:
        """Every way in which `remote` is not this plan, one sentence each; empty when they are equal."""
        there = {file.path: file for file in remote if file.path not in HUB_OWN_FILES}
        problems = [problem for file in self.files if (problem := _difference(file, there.get(file.path)))]
        planned = {file.path for file in self.files}
        return problems + [f"{path}: not in the plan" for path in sorted(there) if path not in planned]


def plan_files(model_folder: Path, exports: Collection[str] = DEFAULT_EXPORTS) -> tuple[PlannedFile, ...]:
    """The files of a Trainer's model artifact at their places in a revision.

    Args:
      model_folder: the artifact.
      exports: which of `EXPORTS` to publish; `prompt.json`, `training.json` and the tokenizer always are.

    Raises:
      PlanError: an export is unknown, or a part is missing or empty; the message names every one.
    """
    check_exports(exports)
    folders = [EXPORTS[name] for name in EXPORTS if name in exports]
    single = dict(MODEL_FILES)
    if "transformers" not in exports:
        single[f"{_TRANSFORMERS_FOLDER}/{TOKENIZER_PATH}"] = TOKENIZER_PATH
    missing = [f"{name}/" for name, _ in folders if not _files_below(model_folder / name)]
    missing += [name for name in single if not (model_folder / name).is_file()]
    if missing:
        raise PlanError(
            "A model must be exported in every format that is published. "
            f"Received: {model_folder} without {', '.join(missing)}. Run the Trainer again, or name other exports."
        )
    unsafe = [file for name, _ in folders for file in _files_below(model_folder / name) if _may_run_code(file)]
    if unsafe:
        raise PlanError(
            "What is published must be data that run no code when they are loaded: no pickle, no archive of one. "
            f"Received: {', '.join(str(file.relative_to(model_folder)) for file in unsafe)}. Export it as safetensors."
        )
    planned = [
        PlannedFile.from_file("/".join(filter(None, (target, file.relative_to(model_folder / name).as_posix()))), file)
        for name, target in folders
        for file in _files_below(model_folder / name)
    ]
    planned += [PlannedFile.from_file(target, model_folder / name) for name, target in single.items()]
    return tuple(sorted(planned, key=lambda file: file.path))


def check_exports(exports: Collection[str]) -> None:
    """Refuses an empty or unknown choice of exports.

    Raises:
      PlanError: with what there is to choose from.
    """
    unknown = sorted(set(exports) - set(EXPORTS))
    if unknown or not exports:
        raise PlanError(
            f"The exports to publish are some of {', '.join(EXPORTS)}. Received: {', '.join(unknown) or 'none'}."
        )


def plan_model(
    files: tuple[PlannedFile, ...],
    *,
    repo_id: str,
    revision: str,
    write_card: Callable[[str], str],
    history: tuple[PastRevision, ...] = (),
) -> Plan:
    """The plan of one revision: the model's files, its card (written for that revision) and the manifest."""
    card = PlannedFile.from_bytes(CARD_PATH, write_card(revision).encode())
    content = tuple(sorted((*files, card), key=lambda file: file.path))
    manifest = _manifest(content, repo_id=repo_id, revision=revision, history=history)
    return Plan(
        repo_id=repo_id,
        repo_type="model",
        revision=revision,
        title=f"Publish {revision}",
        files=(*content, PlannedFile.from_bytes(MANIFEST_PATH, manifest)),
    )


def plan_space(rendered: Mapping[str, bytes], *, repo_id: str, model: str, commit: str) -> Plan:
    """The plan of the Space: its rendered template, in one commit whose title names the model's commit."""
    return Plan(
        repo_id=repo_id,
        repo_type="space",
        revision="main",
        title=space_title(model, commit),
        files=tuple(PlannedFile.from_bytes(path, rendered[path]) for path in sorted(rendered)),
    )


def space_title(model: str, commit: str) -> str:
    """The first line of a Space's commit: `model` is "namespace/name@revision"."""
    return f"Serve {model} at {commit}"


def read_manifest(content: bytes) -> Manifest | None:
    """A published `manifest.json`; None when it is not one of ours."""
    try:
        manifest = json.loads(content)
        if manifest["format"] != MANIFEST_FORMAT or not isinstance(manifest["revision"], str):
            return None
        past = tuple(_past_revision(**entry) for entry in manifest.get("history", ()))
        files = {str(path): (str(file["sha256"]), int(file["size"])) for path, file in manifest["files"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return Manifest(manifest["revision"], past, files)


def _past_revision(revision: str, commit: str) -> PastRevision:
    if not _REVISION.fullmatch(revision) or not _COMMIT.fullmatch(commit):
        raise ValueError(f"A revision is named by its moment, a commit by 40 digits. Received: {revision}, {commit}")
    return PastRevision(revision, commit)


def _manifest(
    files: tuple[PlannedFile, ...], *, repo_id: str, revision: str, history: tuple[PastRevision, ...]
) -> bytes:
    content = {
        "format": MANIFEST_FORMAT,
        "repo_id": repo_id,
        "revision": revision,
        "history": [asdict(past) for past in history],
        "files": {file.path: {"size": file.size_bytes, "sha256": file.sha256} for file in files},
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _difference(planned: PlannedFile, remote: RemoteFile | None) -> str | None:
    if remote is None:
        return f"{planned.path}: missing"
    if remote.size_bytes != planned.size_bytes:
        return f"{planned.path}: {remote.size_bytes} bytes instead of {planned.size_bytes}"
    if remote.sha256 is not None:
        return None if remote.sha256 == planned.sha256 else f"{planned.path}: another sha256, {remote.sha256}"
    return None if remote.git_oid == planned.git_oid else f"{planned.path}: another git oid, {remote.git_oid}"


def _may_run_code(file: Path) -> bool:
    """Whether the file is a pickle, or an archive as PyTorch packs its pickles into."""
    with file.open("rb") as stream:
        head = stream.read(2)
    return head == b"PK" or (head[:1] == b"\x80" and head[1:] in _PICKLE_PROTOCOLS) or file.suffix in _PICKLE_SUFFIXES


def _files_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def _digests(chunks: Iterable[bytes], *, size_bytes: int) -> tuple[str, str]:
    sha256 = hashlib.sha256()
    git = hashlib.sha1(b"blob %d\0" % size_bytes, usedforsecurity=False)
    for chunk in chunks:
        sha256.update(chunk)
        git.update(chunk)
    return sha256.hexdigest(), git.hexdigest()
