"""Forms of the model on disk, and what was published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.exports import FORMS
from pipeline.components.hf_pusher.record import PublicationRecord
from pipeline.report.facts import ExportFacts, FileFacts, PublicationFacts
from pipeline.report.reading.files import RunFiles

LABELS = {name: form.label for form in FORMS.values() for name in (form.name, Path(form.artifact_folder).name)}


def read_exports(files: RunFiles) -> Iterator[ExportFacts]:
    """Yields every form in the Trainer's model, the largest first."""
    folder = files.folder("Trainer", "model")
    if folder is None:
        return
    folders = [folder / "Format-Serving", *(path for path in folder.glob("exports/*") if path.is_dir())]
    forms = [ExportFacts(form_name(path.name), tuple(_files(path))) for path in folders if path.is_dir()]
    yield from sorted(forms, key=lambda form: (-form.size, form.name))


def form_name(name: str) -> str:
    """Returns a form of the model, by its folder or its name in a report."""
    return LABELS.get(name, name)


def _files(folder: Path) -> Iterator[FileFacts]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield FileFacts(str(path.relative_to(folder)), path.stat().st_size)


def read_publication(files: RunFiles) -> PublicationFacts | None:
    """Returns what HFPusher did: its record, or where that is not to be had, what the metadata store has of it."""
    node = files.run.node("HFPusher")
    artifact = node.output("pushed_model") if node else None
    if artifact is None:
        return None
    record = files.record(PublicationRecord, "HFPusher", "pushed_model")
    return PublicationFacts(record or _outcome(artifact.properties))


def _outcome(properties: Mapping[str, Any]) -> PublicationRecord:
    known = {name: value for name, value in properties.items() if name in PublicationRecord.model_fields}
    return PublicationRecord.model_validate(known)
