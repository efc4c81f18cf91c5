"""The side file of what was dropped: JSON lines with reason, place and content, as gzip."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data.cleaning.rules import Finding

NAME = "dropped.jsonl.gz"


class Dropped:
    """Writes entries of the side file."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file

    def write(self, finding: Finding, location: str, content: Mapping[str, Any]) -> None:
        """Appends a dropped row, record, or raw text."""
        entry = {"reason": finding.reason, "detail": finding.detail, "location": location, **content}
        self._file.write(
            (json.dumps(entry, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")
        )


@contextmanager
def writing(path: Path) -> Iterator[Dropped]:
    """Yields what writes `path`: a gzip member without name and time, so that equal rows give equal bytes."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        yield Dropped(file)
