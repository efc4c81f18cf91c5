"""An artifact's folder and the record in it; what is gone or unreadable becomes a note, not an error."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from modules.record import Record, RecordError
from pipeline.report.store import StoredRun

FINISHED = ("COMPLETE", "CACHED")
SomeRecord = TypeVar("SomeRecord", bound=Record)


class RunFiles:
    """Finds the files of a run's artifacts, and keeps the notes of what it did not find."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        """Keeps `text` for the page, once."""
        if text not in self.notes:
            self.notes.append(text)

    def folder(self, node_id: str, key: str) -> Path | None:
        """Returns the folder of a component's artifact; None, with a note, if it should be there and is not."""
        node = self.run.node(node_id)
        if node is None or node.state not in FINISHED:
            return None  # the DAG says so
        artifact = node.output(key)
        if artifact is None:
            self.note(f"{node_id} recorded no artifact {key!r}.")
            return None
        if "://" in artifact.uri:
            self.note(f"{node_id}'s {key} is not on this machine: {artifact.uri}")
            return None
        if not Path(artifact.uri).is_dir():
            self.note(f"{node_id}'s {key} is gone: {artifact.uri}")
            return None
        return Path(artifact.uri)

    def record(self, record_type: type[SomeRecord], node_id: str, key: str, *subfolders: str) -> SomeRecord | None:
        """Returns the record that a component left in its artifact; None if there is none.

        Args:
            record_type: of the record.
            node_id: of the component.
            key: of the artifact.
            subfolders: of the artifact's folder.
        """
        folder = self.folder(node_id, key)
        return self.record_in(folder.joinpath(*subfolders), record_type) if folder else None

    def record_in(self, folder: Path, record_type: type[SomeRecord]) -> SomeRecord | None:
        """Returns the record in `folder`; None, with a note, if it cannot be read."""
        try:
            return record_type.read(folder)
        except OSError as error:
            self.note(f"{record_type.path(folder)} cannot be read: {error.strerror}.")
        except RecordError as error:
            self.note(f"{error.path} {error.problem}.")
        return None
