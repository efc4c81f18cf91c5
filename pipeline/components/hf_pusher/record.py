"""The record of HFPusher: where the model was published, or why it was not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from modules.record import Record, RecordPart


class RecordedFile(RecordPart):
    """A published file: bytes, and SHA-256."""

    size: int
    sha256: str | None = None


class PublicationRecord(Record):
    """HFPusher's result.

    Attributes:
        pushed: whether the model is on the Hub now.
        not_pushed_reason: why it is not; None if it is.
        already_published: whether it was there before, under this revision.
        on_main: False if a later publication took `main` meanwhile.
        repo_id: the model's repository.
        revision: its dated branch.
        commit: of that branch.
        main_commit: of `main`.
        url: of the revision.
        space_repo_id: the Space; None if there is none. So `space_commit`, `space_url`.
        pushed_destination: as `url`; the name that TFX's own Pusher uses. So `pushed_version`, the revision.
        deleted_revisions: revisions that were deleted, because only the newest are kept.
        files: by path.
    """

    FILE: ClassVar[str] = "publication.json"

    pushed: bool
    not_pushed_reason: str | None = None
    already_published: bool = False
    on_main: bool = False
    repo_id: str
    revision: str | None = None
    commit: str | None = None
    url: str | None = None
    pushed_destination: str | None = None
    pushed_version: str | None = None
    space_repo_id: str | None = None
    space_commit: str | None = None
    space_url: str | None = None
    main_commit: str | None = None
    deleted_revisions: tuple[str, ...] = ()
    files: Mapping[str, RecordedFile] = {}

    @property
    def properties(self) -> dict[str, str | int]:
        """Returns what the artifact's custom properties hold of it: the outcome without the files."""
        kept = self.model_dump(
            exclude={"main_commit", "deleted_revisions", "files"}, exclude_unset=True, exclude_none=True
        )
        return {name: int(value) if isinstance(value, bool) else value for name, value in kept.items()}
