"""The exported forms of a model: where the Trainer's artifact has each of them, and where a revision does.

A form that is not among these is described by an :class:`Export` of its own, in `PublishSettings.own_exports`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict

from publishing.errors import PlanError
from publishing.files import PlannedFile

# The tokenizer belongs to every revision, whichever exports it holds: the Space and CTranslate2 read it too.
TOKENIZER_PATH = "tokenizer.json"
# File of the model artifact -> file of the revision.
MODEL_FILES: Mapping[str, str] = {
    "exports/prompt.json": "prompt.json",
    "exports/training.json": "training.json",
}

_PICKLE_PROTOCOLS = (b"\x02", b"\x03", b"\x04", b"\x05")  # the second byte; the first protocols have no mark
_PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib"})


class Export(BaseModel):
    """An exported form of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """By which settings and the command line choose it."""

    model_folder: str
    """Its folder in the Trainer's model artifact."""

    revision_folder: str
    """Its folder in a revision; empty for the revision's root."""

    library_name: str
    """The Hub's name of the library that loads it."""

    snippet: str | None = None
    """The card's lines that load it, Markdown in which `<<repo_id>>`, `<<revision>>`, `<<prompt>>` and the like are
    filled in; None for the template of its name in card/templates/loading."""

    def revision_path(self, path: PurePosixPath) -> str:
        """Returns where a revision has the file that the export's own folder has at `path`."""
        return str(PurePosixPath(self.revision_folder) / path)


def _built_in(name: str, model_folder: str, revision_folder: str, library_name: str) -> Export:
    return Export(name=name, model_folder=model_folder, revision_folder=revision_folder, library_name=library_name)


EXPORTS: Mapping[str, Export] = {
    export.name: export
    for export in (
        _built_in("transformers", "exports/transformers", "", "transformers"),
        _built_in("keras", "exports/keras", "keras", "keras-hub"),
        _built_in("ctranslate2", "exports/ctranslate2", "ctranslate2", "ctranslate2"),
        _built_in("saved_model", "Format-Serving", "saved_model", "tf-keras"),
        _built_in("ctranslate2_float32", "exports/ctranslate2_float32", "ctranslate2_float32", "ctranslate2"),
        _built_in("adapter", "exports/adapter", "adapter", "peft"),
        _built_in("onnx", "exports/onnx", "onnx", "onnx"),
        _built_in("gguf", "exports/gguf", "gguf", "gguf"),
        _built_in("gguf_float16", "exports/gguf_float16", "gguf_float16", "gguf"),
        _built_in("gguf_float32", "exports/gguf_float32", "gguf_float32", "gguf"),
    )
}
DEFAULT_EXPORTS = ("transformers", "keras", "ctranslate2", "saved_model")


def known_exports(own: Iterable[Export] = ()) -> dict[str, Export]:
    """Returns the built-in exports and those of the caller's own, by name."""
    return {**EXPORTS, **{export.name: export for export in own}}


def plan_files(
    model_folder: Path, exports: Collection[str] = DEFAULT_EXPORTS, *, own: Sequence[Export] = ()
) -> tuple[PlannedFile, ...]:
    """Returns the files of a Trainer's model artifact at their places in a revision.

    Args:
      model_folder: the artifact.
      exports: names of those to publish; `prompt.json`, `training.json` and the tokenizer always are.
      own: exports that are not among `EXPORTS`.

    Raises:
      PlanError: an export is unknown, or a part is missing or empty; the message names every one.
    """
    check_exports(exports, own=own)
    chosen = [export for name, export in known_exports(own).items() if name in exports]
    single = dict(MODEL_FILES)
    if "transformers" not in exports:
        single[f"{EXPORTS['transformers'].model_folder}/{TOKENIZER_PATH}"] = TOKENIZER_PATH
    _check_complete(model_folder, chosen, single)
    _check_safe(model_folder, chosen)
    planned = [
        PlannedFile.from_file(export.revision_path(path), model_folder / export.model_folder / path)
        for export in chosen
        for path in _paths_below(model_folder / export.model_folder)
    ]
    planned += [PlannedFile.from_file(target, model_folder / name) for name, target in single.items()]
    return tuple(sorted(planned, key=lambda file: file.path))


def check_exports(exports: Collection[str], *, own: Sequence[Export] = ()) -> None:
    """Refuses an empty or unknown choice of exports.

    Raises:
      PlanError: with what there is to choose from.
    """
    known = known_exports(own)
    unknown = sorted(set(exports) - set(known))
    if unknown or not exports:
        raise PlanError(
            f"The exports to publish are some of {', '.join(known)}. Received: {', '.join(unknown) or 'none'}."
        )


def _check_complete(model_folder: Path, exports: Collection[Export], single: Collection[str]) -> None:
    folders = [export.model_folder for export in exports]
    missing = [f"{name}/" for name in folders if not any(_paths_below(model_folder / name))]
    missing += [name for name in single if not (model_folder / name).is_file()]
    if missing:
        raise PlanError(
            "A model must be exported in every format that is published. "
            f"Received: {model_folder} without {', '.join(missing)}. Run the Trainer again, or name other exports."
        )


def _check_safe(model_folder: Path, exports: Collection[Export]) -> None:
    paths = [
        Path(export.model_folder) / path
        for export in exports
        for path in _paths_below(model_folder / export.model_folder)
    ]
    unsafe = [str(path) for path in paths if _may_run_code(model_folder / path)]
    if unsafe:
        raise PlanError(
            "What is published must be data that run no code when they are loaded: no pickle, no archive of one. "
            f"Received: {', '.join(unsafe)}. Export it as safetensors."
        )


def _may_run_code(file: Path) -> bool:
    """Returns whether the file is a pickle, or an archive as PyTorch packs its pickles into."""
    with file.open("rb") as stream:
        head = stream.read(2)
    return head == b"PK" or (head[:1] == b"\x80" and head[1:] in _PICKLE_PROTOCOLS) or file.suffix in _PICKLE_SUFFIXES


def _paths_below(folder: Path) -> Iterator[PurePosixPath]:
    """Yields the files of a folder, relative to it, in order."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return (PurePosixPath(file.relative_to(folder).as_posix()) for file in files)
