"""The work folder of a run: every task leaves one whole result, so that a run that was killed goes on where it was.

    request.json     what was asked for; another request starts anew
    plan.json        the parts of the sources
    done/TASK.json   the result of a task that is finished
    rows/ keys/ exact/ near/ fragments/ dropped/ out/    files of the tasks

All workers must see the folder: it is beside the output, or where --work says.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.errors import SourceError
from data.prepare.settings import PrepareSettings
from data.sources.items import Part

Result = dict[str, Any]


class Work:
    """The work folder, for whoever does a task in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[type[Work], tuple[Path]]:  # Beam sends it to its workers
        return Work, (self.folder,)

    def path(self, *names: str) -> Path:
        """Returns a path in the folder, whose own folder is there."""
        path = self.folder.joinpath(*names)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @property
    def settings(self) -> PrepareSettings:
        """Returns what was asked for."""
        return _settings_at(*_version(self.folder / "request.json"))

    @property
    def parts(self) -> tuple[Part, ...]:
        """Returns the parts of all sources, in order."""
        return _parts_at(*_version(self.folder / "plan.json"))

    def read(self, name: str) -> Result:
        """Returns the content of a JSON file in the folder."""
        return _read_json(self.folder / name)

    def plan(self) -> Result:
        """Returns all that plan.json says."""
        return self.read("plan.json")

    def once(self, task: str, do: Callable[[], Result]) -> Result:
        """Returns the result of a task, which is done unless an earlier run has finished it.

        A SourceError is a result too: Beam would wrap it, and try again.
        """
        done = self.path("done", f"{task}.json")
        if done.exists():
            return _read_json(done)
        try:
            result = do()
        except SourceError as error:
            return {"error": str(error), "type": type(error).__name__}
        write_json(done, result)
        return result

    def results(self, stage: str) -> list[Result]:
        """Returns the results of a stage's finished tasks, in the order of their names."""
        return [_read_json(path) for path in sorted(self.folder.joinpath("done").glob(f"{stage}-*.json"))]

    def remove(self) -> None:
        """Removes the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Holds the work folder, which one run at a time may have.

    Raises:
        SourceError: If another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SourceError(
                f"One run at a time may prepare a folder. Received: {folder}, which another run holds. Wait for it."
            ) from error
        yield


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Writes `path`, which appears complete or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    partial.replace(path)


def _read_json(path: Path) -> Result:
    content: Result = json.loads(path.read_text(encoding="utf-8"))
    return content


def _version(path: Path) -> tuple[Path, int]:
    """Returns the path and the time of its content, by which what was read from it is kept."""
    return path, path.stat().st_mtime_ns


@lru_cache(maxsize=2)
def _settings_at(path: Path, modified: int) -> PrepareSettings:
    return PrepareSettings.of(_read_json(path)["settings"])


@lru_cache(maxsize=2)
def _parts_at(path: Path, modified: int) -> tuple[Part, ...]:
    return tuple(Part(**part) for part in _read_json(path)["parts"])
