"""The group about the forms that a trained model is written in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator

from modules.settings.types import FROZEN, Words, split_words

CTranslate2Precision = Literal["int8", "float32"]
CTranslate2Precisions = Annotated[tuple[CTranslate2Precision, ...], BeforeValidator(split_words)]
GgufType = Literal["q8_0", "f16", "f32"]
GgufTypes = Annotated[tuple[GgufType, ...], BeforeValidator(split_words)]
OnnxType = Literal["f32"]
OnnxTypes = Annotated[tuple[OnnxType, ...], BeforeValidator(split_words)]


class ExportSettings(BaseModel):
    """The forms that a trained model is written in, besides the SavedModel, the KerasHub preset and Transformers'."""

    model_config = FROZEN

    ctranslate2: CTranslate2Precisions = ("int8", "float32")
    """How CTranslate2's weights are stored, int8 (a quarter of the size; what the Space runs) and float32, one export
    each; `none` for no such export."""

    gguf: GgufTypes = ()
    """How the weights of GGUF files are stored, for llama.cpp and Ollama: q8_0 (8 bits), f16 and f32, one export each;
    `none` for no such export."""

    onnx: OnnxTypes = ()
    """How the weights of an ONNX file are stored, f32; needs `make setup EXTRAS=onnx`; `none` for no such export."""

    extra: Words = ()
    """Forms of your own besides, as package.module:OBJECT; `none` for none."""
