"""Plans what a publication puts where: frozen, comparable values, made without any network.

A revision of a model repository holds, at its root, the Transformers files (which KerasHub's `hf://` loader reads
too), `prompt.json`, `training.json`, the card `README.md` and `manifest.json`, and below it a folder for each other
export that is published. A signed revision also has `model.sig`, the one file that no manifest can name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from publishing.errors import PlanError
from publishing.files import HUB_OWN_FILES, PlannedFile, RemoteFile
from publishing.manifest import MANIFEST_PATH, PastRevision, render_manifest

CARD_PATH = "README.md"
SIGNATURE_PATH = "model.sig"
# The first line of a Space's commit, by which a later run knows what it serves.
SPACE_TITLE = r"Serve (?P<repo_id>\S+)@(?P<revision>v\d{8}-\d{6}) at (?P<commit>[0-9a-f]{40})"


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
        """Returns the size of all files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def signature(self) -> bytes | None:
        """Returns the revision's signature; None when it is not signed."""
        found = [file.source for file in self.files if file.path == SIGNATURE_PATH]
        return found[0] if found and isinstance(found[0], bytes) else None

    @property
    def signed_files(self) -> tuple[PlannedFile, ...]:
        """Returns what a signature covers: all files but itself."""
        return tuple(file for file in self.files if file.path != SIGNATURE_PATH)

    def signed(self, signature: bytes) -> Plan:
        """Returns this plan with a signature."""
        return replace(self, files=(*self.signed_files, PlannedFile.from_bytes(SIGNATURE_PATH, signature)))

    def render(self) -> str:
        """Returns the plan as text: one line for the target, one for each file."""
        head = f"{self.repo_type} {self.repo_id} @ {self.revision}: {len(self.files)} files, {self.size_bytes} bytes"
        lines = (f"  {file.sha256[:12]}  {file.size_bytes:>12}  {file.path}" for file in self.files)
        return "\n".join([head, *lines])

    def differences(self, remote: Iterable[RemoteFile]) -> list[str]:
        """Returns every way in which `remote` is not this plan, one sentence each; empty when they are equal."""
        there = {file.path: file for file in remote if file.path not in HUB_OWN_FILES}
        problems = [problem for file in self.files if (problem := file.difference(there.get(file.path)))]
        planned = {file.path for file in self.files}
        return problems + [f"{path}: not in the plan" for path in sorted(there) if path not in planned]


def plan_model(
    files: tuple[PlannedFile, ...],
    *,
    repo_id: str,
    revision: str,
    write_card: Callable[[str], str],
    history: tuple[PastRevision, ...] = (),
) -> Plan:
    """Returns the plan of one revision: the model's files, its card (written for that revision) and the manifest."""
    card = PlannedFile.from_bytes(CARD_PATH, write_card(revision).encode())
    content = tuple(sorted((*files, card), key=lambda file: file.path))
    manifest = render_manifest(content, repo_id=repo_id, revision=revision, history=history)
    return Plan(
        repo_id=repo_id,
        repo_type="model",
        revision=revision,
        title=f"Publish {revision}",
        files=(*content, PlannedFile.from_bytes(MANIFEST_PATH, manifest)),
    )


def plan_space(rendered: Mapping[str, bytes], *, repo_id: str, model: str, commit: str) -> Plan:
    """Returns the plan of the Space: its rendered template, in one commit whose title names the model's commit."""
    return Plan(
        repo_id=repo_id,
        repo_type="space",
        revision="main",
        title=space_title(model, commit),
        files=tuple(PlannedFile.from_bytes(path, rendered[path]) for path in sorted(rendered)),
    )


def space_title(model: str, commit: str) -> str:
    """Returns the first line of a Space's commit; `model` is "namespace/name@revision"."""
    return f"Serve {model} at {commit}"
