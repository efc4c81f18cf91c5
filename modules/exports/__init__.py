"""The forms in which a trained model is exported: a module per form, and the registry of those that settings may name.

What lists forms (choices of settings, ServingProof, what is published, card, report) reads :data:`FORMS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from modules import registry
from modules.exports.adapter import ADAPTER
from modules.exports.ctranslate2 import FLOAT32, INT8
from modules.exports.form import ExportForm, TrainedModel, Writer
from modules.exports.gguf import FLOAT16 as GGUF_FLOAT16
from modules.exports.gguf import FLOAT32 as GGUF_FLOAT32
from modules.exports.gguf import Q8_0 as GGUF
from modules.exports.keras_preset import KERAS
from modules.exports.onnx import ONNX
from modules.exports.saved_model import SAVED_MODEL
from modules.exports.transformers import TRANSFORMERS
from modules.settings.export import ExportSettings

__all__ = ["FORMS", "ExportForm", "TrainedModel", "find_form", "find_forms", "forms_to_write"]

SETTING = "publish.exports"
FORMS: Mapping[str, ExportForm] = {
    form.name: form
    for form in (TRANSFORMERS, KERAS, INT8, SAVED_MODEL, FLOAT32, ADAPTER, GGUF, GGUF_FLOAT16, GGUF_FLOAT32, ONNX)
}


def find_form(name: str, *, setting: str = SETTING) -> ExportForm:
    """Returns the form that a setting names, or refers to as ``package.module:OBJECT``.

    Args:
        name: of a form, or a reference.
        setting: called so in errors.

    Raises:
        RegistryError: If there is none of this name.
    """
    return registry.find(name, FORMS, entry_type=ExportForm, setting=setting)


def find_forms(names: Iterable[str]) -> tuple[ExportForm, ...]:
    """Returns the forms of these names, in their order."""
    return tuple(map(find_form, names))


def forms_to_write(settings: ExportSettings, writer: Writer | None = None) -> tuple[ExportForm, ...]:
    """Returns the forms that the settings ask for; whether one applies to a model is for the form to say.

    Args:
        settings: which forms are wanted beside those that are always written.
        writer: only the forms that it writes; None for all.
    """
    wanted = (*(form for form in FORMS.values() if form.is_wanted(settings)), *map(find_form, settings.extra))
    return tuple(form for form in wanted if writer in {None, form.written_by})
