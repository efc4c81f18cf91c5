"""An artifact's files; what is gone or unreadable becomes a note, not an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.report.store import StoredRun

FINISHED = ("COMPLETE", "CACHED")


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
        """The folder of a component's artifact; None, with a note, if it should be there and is not."""
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

    def json(self, path: Path) -> dict[str, Any]:
        """A JSON object; empty, with a note, if the file cannot be read as one."""
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            self.note(f"{path} cannot be read: {error.strerror}.")
            return {}
        except ValueError as error:
            self.note(f"{path} is not readable as JSON: {error}.")
            return {}
        if not isinstance(value, dict):
            self.note(f"{path} holds no JSON object, but a {type(value).__name__}.")
            return {}
        return value

    def json_of(self, node_id: str, key: str, *names: str) -> dict[str, Any]:
        """The JSON object in a file of an artifact; empty if there is none."""
        folder = self.folder(node_id, key)
        return self.json(folder.joinpath(*names)) if folder else {}
