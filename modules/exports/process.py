"""Exports in a process of their own: the trainer writes a KerasHub preset and lets go of its model; a fresh process on
the TensorFlow backend reads the preset, writes every other form, and answers with what it made.

    python -m modules.exports.process TASK_FILE RESULT_FILE LOG_FILE

Whatever trained the model, and on whichever Keras backend, the preset in ``exports/keras`` is all that it hands over.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.cpu_environment import cpu_environment
from modules.exports import TrainedModel, forms_to_write
from modules.exports.keras_preset import KERAS
from modules.exports.saved_model import SAVED_MODEL
from modules.exports.writing import form_sizes, write_forms, write_prompt_spec
from modules.models.families import find_family
from modules.processes import run_in_subprocess, serve
from modules.progress import PartsProgress
from modules.prompts import AUTO, RowKind, find_format
from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from modules.settings.model import DEFAULT_FAMILY

if TYPE_CHECKING:
    from modules.serving.signatures import ServingModule

# float32 on the processor, as the published model will be asked on any machine; a trainer's accelerator stays its own.
ENVIRONMENT = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}


class ExportError(RuntimeError):
    """The process that exports the model failed."""

    user_message = True


@dataclass(frozen=True)
class Questions:
    """Prompts, and the answer that is expected to each; an empty one if any will do."""

    prompts: Sequence[str]
    expected: Sequence[str]


@dataclass(frozen=True)
class ExportTask:
    """The exports to make from a preset.

    Attributes:
        serving_model_dir: where the SavedModel goes; the preset to read lies beside it.
        generation: decoding defaults.
        export: which forms to write.
        samples: what to show answers to; front ends show the prompts as examples.
        exact: what must be answered with exactly the expected text; none to skip that.
        kind: what the model was trained on, ``instructions`` or ``text``.
        prompt_format: how its prompts are made, as ``data.prompt_format`` says.
        family: of the model, as ``model.family`` says.
    """

    serving_model_dir: str
    generation: GenerationSettings
    export: ExportSettings
    samples: Questions
    exact: Questions
    kind: RowKind = "instructions"
    prompt_format: str = AUTO
    family: str = DEFAULT_FAMILY

    @property
    def artifact(self) -> Path:
        """Returns the model artifact's folder."""
        return Path(self.serving_model_dir).parent


def export_from_trainer(model: TrainedModel, artifact: Path, export: ExportSettings) -> None:
    """Writes the trainer's part: the preset in float32, from which the other forms are made, and adapters."""
    gc.collect()  # of the training model and its optimizer
    write_forms(model, artifact, forms_to_write(export, "trainer"))


def export_in_subprocess(task: ExportTask) -> dict[str, Any]:
    """Runs `task` in a fresh process, which ends with this one, however that ends.

    The caller must have let go of its model: what Python still holds in cycles is freed here.

    Returns:
        What :func:`run_export` returns there.

    Raises:
        ExportError: If it fails; with the message of its error.
    """
    gc.collect()
    environment = cpu_environment(os.environ) | ENVIRONMENT
    outcome = run_in_subprocess("modules.exports.process", task, environment=environment)
    if outcome.status != 0:
        raise ExportError(
            f"The trained model must be exported in a process of its own. Received: {outcome.cause}. "
            "The log has the rest."
        )
    return outcome.result


def run_export(task: ExportTask) -> dict[str, Any]:
    """Writes every form that is made from the preset, which it reads, and asks the SavedModel's graph.

    Returns:
        ``samples`` and ``exact_answers`` for the training report, ``sizes``: bytes on disk of each form.
    """
    # The SavedModel takes longest: last.
    forms = sorted(forms_to_write(task.export, "export process"), key=lambda form: form is SAVED_MODEL)
    with PartsProgress("exporting", total=len(forms) + 1) as exporting:
        exporting.begin(f"{KERAS.name}, read back")
        model = read_preset(task)
        write_forms(model, task.artifact, forms, begin=exporting.begin)
        write_prompt_spec(model, task.artifact)
    return ask(model.serving, task) | {"sizes": form_sizes(task.artifact, forms_to_write(task.export))}


def read_preset(task: ExportTask) -> TrainedModel:
    """Returns the model that the trainer left."""
    family = find_family(task.family)  # what takes longest here is the import of what it needs
    preset = str(task.artifact / KERAS.artifact_folder)
    backbone, tokenizer = family.load_preset(preset, dropout=0.0, dtype="float32")
    return TrainedModel(
        backbone,
        tokenizer,
        task.generation,
        find_format(task.prompt_format, kind=task.kind),
        kind=task.kind,
        examples=task.samples.prompts,
    )


def ask(module: ServingModule, task: ExportTask) -> dict[str, Any]:
    """Returns ``samples`` and ``exact_answers``: what the model answers to the task's questions."""
    from modules.serving.exact_answers import exact_answers

    samples, exact = task.samples, task.exact
    with PartsProgress("answering", total=len(samples.prompts) + len(exact.prompts)) as asking:
        asking.begin(f"{asking.total:,} evaluation prompts")

        def respond(prompts: Sequence[str]) -> list[str]:
            responses = module.respond(prompts)
            asking.advance(len(prompts))
            return responses

        return {
            "samples": answer(respond, samples),
            "exact_answers": exact_answers(respond, exact.prompts, exact.expected, rows=len(exact.prompts)),
        }


def answer(respond: Callable[[Sequence[str]], list[str]], questions: Questions) -> list[dict[str, str]]:
    """Returns each prompt with the model's response and, if there is one, the expected one."""
    responses = respond(questions.prompts) if questions.prompts else []
    return [
        {"prompt": prompt, "response": response} | ({"expected": wanted} if wanted else {})
        for prompt, response, wanted in zip(questions.prompts, responses, questions.expected, strict=True)
    ]


if __name__ == "__main__":
    serve(sys.argv[1:], run_export, task_type=ExportTask)
