"""An output folder that appears complete or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.errors import SourceError


@contextmanager
def replaced_folder(out: Path, *, own: re.Pattern[str]) -> Iterator[Path]:
    """Yields a new folder to fill, which takes the place of `out` once it is complete.

    Args:
        out: must be new, empty, or hold nothing but what an earlier call left there.
        own: what the names of such files match.

    Raises:
        SourceError: If `out` holds anything else.
    """
    require_replaceable(out, own=own)
    partial = out.with_name(f".{out.name}.{os.getpid()}.partial")
    partial.mkdir(parents=True)
    try:
        yield partial
        if out.exists():
            shutil.rmtree(out)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def require_replaceable(out: Path, *, own: re.Pattern[str]) -> None:
    """Refuses a folder that holds anything but an earlier output, whose files match `own`."""
    present = sorted(path.name for path in out.iterdir()) if out.exists() else []
    foreign = [name for name in present if not own.fullmatch(name)]
    if foreign:
        raise SourceError(
            f"The output folder must be new, empty or an earlier output. Received: {out}, which holds "
            f"{', '.join(foreign[:3])}. Choose another folder."
        )
