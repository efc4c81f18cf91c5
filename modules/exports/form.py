"""The description of an exported form of a model."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from modules.prompts import ALPACA, PromptFormat, RowKind
from modules.proving.agreement import Judge
from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from publishing.exports import Export

if TYPE_CHECKING:
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer

    from modules.proving.answers import Answers
    from modules.proving.requests import Requests
    from modules.serving.signatures import ServingModule

Writer = Literal["trainer", "export process"]


@dataclass(frozen=True)
class TrainedModel:
    """A trained model that is to be exported.

    Attributes:
        backbone: the trained model; plain and in float32 but for forms that the trainer writes.
        tokenizer: that it was trained with.
        generation: decoding defaults.
        prompt_format: how its prompts are made.
        kind: of the rows that it learnt from.
        preset: ``model.preset``, what it was fine-tuned from; None if it was trained from scratch.
        examples: prompts to show to people who want to ask the model something.
    """

    backbone: Backbone
    tokenizer: Tokenizer
    generation: GenerationSettings = field(default_factory=GenerationSettings)
    prompt_format: PromptFormat = ALPACA
    kind: RowKind = "instructions"
    preset: str | None = None
    examples: Sequence[str] = ()

    @cached_property
    def serving(self) -> ServingModule:
        """Returns the model as it serves, built once: its graph takes seconds."""
        from modules.serving.generation import TextGenerator
        from modules.serving.signatures import ServingModule

        return ServingModule(TextGenerator(self.backbone, self.tokenizer), self.generation, self.prompt_format)


@dataclass(frozen=True)
class ExportForm:
    """One form in which a trained model is exported: the one place that knows it.

    Attributes:
        published: its name, where it lies in the model artifact and in a revision, the library that loads it, and the
            card's lines about that.
        label: what people call it; the report, which imports no code of a user's own, calls theirs by its name.
        bytes_per_parameter: about how large it is on disk.
        write: writes it into a folder that does not exist yet.
        ask: answers requests with the form in the model artifact's folder, as its readers do; None if it cannot be
            asked alone.
        judge: compares its answers with the reference's.
        export_setting: the field of the ``export`` group, and its value, that ask for the form; None if it is always
            written.
        written_by: the trainer, which has the model with its adapters, or the export process, which reads the preset.
        applies: whether there is such a form of a model.
        proof_order: its place in the proof, where those that take longest come first.
    """

    published: Export
    label: str
    bytes_per_parameter: float
    write: Callable[[TrainedModel, Path], None]
    ask: Callable[[Path, Requests], Answers] | None = None
    judge: Judge | None = None
    export_setting: tuple[str, str] | None = None
    written_by: Writer = "export process"
    applies: Callable[[TrainedModel], bool] = lambda _: True
    proof_order: int = 9

    @property
    def name(self) -> str:
        """Returns the name that settings use for the form."""
        return self.published.name

    @property
    def artifact_folder(self) -> str:
        """Its folder in the model artifact."""
        return self.published.model_folder

    def is_wanted(self, settings: ExportSettings) -> bool:
        """Returns whether the settings ask for this form, if it is one of the project's."""
        if self.export_setting is None:
            return True
        field, value = self.export_setting
        return value in getattr(settings, field)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file as all exported forms have it."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
