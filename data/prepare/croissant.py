"""The Croissant description of a data set: what its files are, for those who find it (https://docs.mlcommons.org/croissant)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from data.errors import SourceError
from data.extra import require
from data.origin import Origin
from data.tfrecords import FIELDS

CROISSANT = "croissant.json"
_SHARDS = "shards"
_TFRECORD = "application/x-tfrecord"


def croissant_text(name: str, report: Mapping[str, Any], origin: Origin) -> str:
    """Returns the text of croissant.json, which mlcroissant has found valid.

    Args:
        name: of the data set.
        report: what report.json holds.
        origin: of the rows.

    Raises:
        SourceError: If mlcroissant is not installed.
    """
    library = require("mlcroissant", "describe a data set")
    files = [file for side in report["splits"].values() for file in side["files"]]
    objects: list[Any] = [
        library.FileObject(
            id=file["name"],
            name=file["name"],
            content_url=file["name"],
            content_size=f"{file['bytes']} B",
            encoding_formats=[_TFRECORD],
            sha256=file["sha256"],
        )
        for file in files
    ]
    objects.append(
        library.FileSet(id=_SHARDS, name=_SHARDS, includes=["rows-*.tfrecord"], encoding_formats=[_TFRECORD])
    )
    metadata = library.Metadata(
        name=re.sub(r"[^\w-]", "-", name),
        description=_description(report),
        license=[origin.license] if origin.license else None,
        url=origin.sources[0] if origin.sources and "://" in origin.sources[0] else None,
        same_as=[f"https://huggingface.co/datasets/{dataset}" for dataset in origin.datasets] or None,
        version="1.0.0",
        distribution=objects,
        record_sets=[_records(library)],
        data_preprocessing_protocol=[
            f"{count} rows dropped: {reason}" for reason, count in report["rows_dropped"].items()
        ],
    )
    if metadata.issues.errors:
        raise SourceError(f"croissant.json must be valid. Received: {metadata.issues.report()}")
    return json.dumps(metadata.to_json(), indent=2, ensure_ascii=False, default=str) + "\n"


def _description(report: Mapping[str, Any]) -> str:
    kind = "documents" if report["kind"] == "text" else "instructions with responses"
    sides = " and ".join(f"{side['rows']} in {split}" for split, side in report["splits"].items())
    return f"{report['rows_kept']} {kind}, {sides}, as tf.train.Example in TFRecord files."


def _records(library: Any) -> Any:
    fields = [
        library.Field(
            id=f"rows/{name}",
            name=name,
            description=_FIELDS[name],
            data_types=[library.DataType.TEXT],
            source=library.Source(file_set=_SHARDS, extract=library.Extract(column=name)),
        )
        for name in FIELDS
    ]
    return library.RecordSet(id="rows", name="rows", description="One row of the TFRecord files.", fields=fields)


_FIELDS = {
    "instruction": "The task; empty in a document.",
    "input": "What the task is about; may be empty.",
    "output": "The response, or the document.",
}
