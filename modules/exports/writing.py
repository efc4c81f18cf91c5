"""Writes the forms of a model into a model artifact's folder, with what belongs to all of them.

Layout: the SavedModel in ``Format-Serving/``, every other form in ``exports/<form>/``, and ``exports/prompt.json``.
None needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel, write_json
from modules.models.families import family_of


def write_forms(
    model: TrainedModel,
    artifact: Path,
    forms: Iterable[ExportForm],
    *,
    begin: Callable[[str], None] = lambda _: None,
) -> None:
    """Writes the forms that apply to a model.

    Args:
        model: what to write.
        artifact: the model artifact's folder; made.
        forms: which.
        begin: is told of each form, by its name, before it is written.
    """
    (artifact / "exports").mkdir(parents=True, exist_ok=True)
    for form in forms:
        if form.applies(model):
            begin(form.name)
            form.write(model, artifact / form.artifact_folder)


def write_prompt_spec(model: TrainedModel, artifact: Path) -> None:
    """Writes ``exports/prompt.json``: how the model is asked, for front ends that cannot import this project."""
    spec = {
        **model.prompt_format.spec(kind=model.kind),
        "end_token_id": family_of(model.backbone).end_token_id(model.tokenizer),
        "context_length": model.backbone.max_sequence_length,
        "generation": model.generation.model_dump(mode="json"),
        "examples": [
            {"instruction": row[0], "input": row[1]}
            for prompt in model.examples
            if (row := model.prompt_format.parse(prompt))
        ],
    }
    write_json(artifact / "exports" / "prompt.json", spec)


def form_sizes(artifact: Path, forms: Iterable[ExportForm]) -> dict[str, int]:
    """Returns the bytes on disk of each form that is there, by name."""
    ordered = sorted(forms, key=lambda form: (form.artifact_folder.startswith("exports/"), form.name))
    folders = {form.name: artifact / form.artifact_folder for form in ordered}
    return {
        name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for name, folder in folders.items()
        if folder.is_dir()
    }
