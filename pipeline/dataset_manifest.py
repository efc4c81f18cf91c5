"""The dataset.json of the rows that a run on this machine will read."""

from __future__ import annotations

from pathlib import Path

from data.origin import manifest_paths
from pipeline.config.data import DataConfig
from pipeline.layout import absolute
from pipeline.spans import newest_files


def dataset_manifest(data: DataConfig) -> Path | None:
    """Returns the file; None if there is none, or `data.path` is not on this machine.

    Raises:
        PatternError: If the pattern of the training rows cannot be followed.
    """
    folder = Path(absolute(data.path))
    files = newest_files(folder, data.train_pattern).paths
    places = manifest_paths(str(folder), str(files[0])) if files else []
    return next(filter(Path.is_file, map(Path, places)), None)
