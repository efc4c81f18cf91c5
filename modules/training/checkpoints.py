"""Checkpoints on disk: written atomically, rotated, checked when read.

A checkpoint is one NumPy archive (``.npz``, whose zip container carries a CRC-32 of every array). It becomes visible
under its name only once it is whole and on disk, so a killed process leaves none that is half written. The folder of a
training is called by the training's fingerprint: no other training finds it there.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

logger = logging.getLogger(__name__)

FORMAT = 2
MANIFEST = "manifest"
SUFFIX = ".npz"
UNFINISHED = ".unfinished"
NAME_DIGITS = 16  # of a fingerprint, in the name of its folder
RUN = "run.txt"  # names the run that wrote a folder's checkpoints, or went on from them, last


class DamagedError(ValueError):
    """A file is not the checkpoint that it should be."""


@dataclass(frozen=True)
class Checkpoint:
    """A training after some optimizer step.

    Attributes:
        step: optimizer steps done.
        arrays: what the training had computed so far, by name.
        progress: plain JSON; what it had noted.
    """

    step: int
    arrays: dict[str, np.ndarray]
    progress: dict[str, Any]


class CheckpointFolder:
    """The checkpoints of one training.

    Args:
        root: folder of all trainings' checkpoints; made when the first is saved.
        fingerprint: of the training; checkpoints of another one are not read.
        keep: how many to keep, at least 1; the oldest go first.
        run_id: of the run that trains.
    """

    def __init__(self, root: Path, *, fingerprint: str, keep: int, run_id: str | None = None) -> None:
        self.root = root
        self.run_id = run_id
        self.fingerprint = fingerprint
        self.folder = root / fingerprint[:NAME_DIGITS]
        self.keep = keep

    def save(self, step: int, arrays: Mapping[str, np.ndarray], progress: Mapping[str, Any]) -> Path:
        """Writes a checkpoint and removes the oldest ones.

        Raises:
            OSError: If it cannot be written; the earlier ones stay.
        """
        manifest = {"format": FORMAT, "fingerprint": self.fingerprint, "step": step, "progress": dict(progress)}
        entries: dict[str, Any] = {MANIFEST: _to_bytes(manifest), **arrays}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"step-{step:010d}{SUFFIX}"
        with _replacing(path) as file:
            np.savez(file, **entries)
        for old in self._paths()[: -self.keep]:
            old.unlink(missing_ok=True)
        self.claim()
        return path

    def claim(self) -> None:
        """Notes that the checkpoints are those of this run, for :func:`step_saved_by`."""
        if self.run_id is not None:
            (self.folder / RUN).write_text(self.run_id, encoding="utf-8")

    def newest(self) -> Checkpoint | None:
        """Returns the newest checkpoint that is whole; None if there is none. Skips damaged ones with a warning."""
        for path in reversed(self._paths()):
            try:
                return self._read(path)
            except DamagedError as error:
                logger.warning("A checkpoint is damaged and is skipped for the one before it: %s: %s", path, error)
        return None

    def newest_step(self) -> int | None:
        """Returns the step of the newest checkpoint, whole or not; None if there is none."""
        return max(map(_step_of, self._paths()), default=None)

    def clear(self) -> None:
        """Removes them all."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # the root stays while other trainings have theirs in it
            self.root.rmdir()

    def others(self) -> dict[Path, int]:
        """Folders of other trainings beside this one, and their bytes."""
        if not self.root.is_dir():
            return {}
        folders = [path for path in self.root.iterdir() if path.is_dir() and path != self.folder]
        return {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in sorted(folders)}

    def _paths(self) -> list[Path]:
        return _checkpoints(self.folder)

    def _read(self, path: Path) -> Checkpoint:
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            manifest = json.loads(arrays.pop(MANIFEST).tobytes())
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise DamagedError(f"{type(error).__name__}: {error}") from error
        if (manifest["format"], manifest["fingerprint"]) != (FORMAT, self.fingerprint):
            raise DamagedError(f"it belongs to another training. Received: {manifest['fingerprint']}")
        return Checkpoint(manifest["step"], arrays, manifest["progress"])


def has_checkpoints(root: Path) -> bool:
    """Returns whether any training has checkpoints in `root`, the folder of all trainings'."""
    return any(_checkpoints(folder) for folder in root.glob("*/"))


def step_saved_by(root: Path, run_id: str) -> int | None:
    """Returns the step from which the training of a run can go on; None if it left no checkpoint.

    Args:
        root: folder of all trainings' checkpoints.
        run_id: of the run that wrote the checkpoint, or went on from it.
    """
    notes = [note for note in root.glob(f"*/{RUN}") if note.read_text(encoding="utf-8") == run_id]
    steps = [_step_of(path) for note in notes for path in _checkpoints(note.parent)]
    return max(steps, default=None)


def _checkpoints(folder: Path) -> list[Path]:
    """Returns the files of a folder, from the oldest to the newest."""
    return sorted(folder.glob(f"step-*{SUFFIX}"))


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yields a file that takes its name once it is whole and on disk; nothing is left of it if that fails."""
    unfinished = path.with_suffix(UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _to_bytes(manifest: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(json.dumps(manifest).encode(), np.uint8)
