"""Flags that the server and the generate command have in common."""

from __future__ import annotations

import argparse
from pathlib import Path

from serving.settings import ModelSource
from serving.sources import parse_source

FORMS = ("ctranslate2", "ctranslate2_float32")
MODEL_HELP = "model folder, NAME or NAME@REVISION of a Hub (default: what was published last to the local Hub)"


def add_source_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say where the model comes from."""
    add = parser.add_argument
    add("--endpoint", default="local", help="address of the Hub, or `local` (local); HF_TOKEN holds the token")
    add("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the local Hub (output/hub)")
    add("--work-dir", type=Path, default=Path("output/serving"), help="where downloads are kept (output/serving)")
    add("--form", choices=FORMS, default=FORMS[0], help="exported form: 8 bits or float32 (ctranslate2)")


def source_of(options: argparse.Namespace) -> ModelSource:
    """Returns the source that the flags name.

    Raises:
      SourceError: it is none.
    """
    return parse_source(
        options.model, endpoint=options.endpoint, storage_dir=options.storage_dir, work_dir=options.work_dir
    )
