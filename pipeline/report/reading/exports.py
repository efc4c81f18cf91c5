"""Forms of the model on disk, and what was published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modules.exports import FORMS
from pipeline.report.facts import ExportFacts, FileFacts, PublicationFacts
from pipeline.report.reading.files import RunFiles

LABELS = {name: form.label for form in FORMS.values() for name in (form.name, Path(form.artifact_folder).name)}


def read_exports(files: RunFiles) -> Iterator[ExportFacts]:
    """Every form in the Trainer's model, the largest first."""
    folder = files.folder("Trainer", "model")
    if folder is None:
        return
    folders = [folder / "Format-Serving", *(path for path in folder.glob("exports/*") if path.is_dir())]
    forms = [ExportFacts(form_name(path.name), tuple(_files(path))) for path in folders if path.is_dir()]
    yield from sorted(forms, key=lambda form: (-form.size, form.name))


def form_name(name: str) -> str:
    """A form of the model, by its folder or its name in a report."""
    return LABELS.get(name, name)


def _files(folder: Path) -> Iterator[FileFacts]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield FileFacts(str(path.relative_to(folder)), path.stat().st_size)


def read_publication(files: RunFiles) -> PublicationFacts | None:
    """What HFPusher did: the metadata store has its outcome, the artifact the files."""
    node = files.run.node("HFPusher")
    artifact = node.output("pushed_model") if node else None
    if artifact is None:
        return None
    record = {name: artifact.properties[name] for name in sorted(artifact.properties)}
    record |= files.json_of("HFPusher", "pushed_model", "publication.json") if record.get("pushed") else {}
    published = record.pop("files", None)
    listed = published if isinstance(published, dict) else {}
    return PublicationFacts(
        pushed=bool(record.get("pushed")),
        reason=record.get("not_pushed_reason") or None,
        record=record,
        files=tuple(_published(path, about) for path, about in sorted(listed.items())),
    )


def _published(path: str, about: Mapping[str, Any]) -> FileFacts:
    return FileFacts(path, int(about.get("size", 0)), about.get("sha256"))
