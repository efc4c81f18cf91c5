"""What a field of the configuration can hold, and how flags and environment variables write it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from data.origin import DATASET_ID

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _none_from_word(value: Any) -> Any:
    """Flags and environment variables cannot hold None, so the word stands for it."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
OptionalText = Annotated[Text | None, BeforeValidator(_none_from_word)]
OptionalPort = Annotated[Annotated[int, Field(ge=1, le=65535)] | None, BeforeValidator(_none_from_word)]
OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(_none_from_word)]
# The namespace and the name as the Hub allows them.
RepoId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,94}/[A-Za-z0-9][\w.-]{0,94}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
OptionalEnvironmentName = Annotated[EnvironmentName | None, BeforeValidator(_none_from_word)]
Endpoint = Annotated[str, StringConstraints(pattern=r"^(local|https?://[^\s/@]+(/[^\s@]*)?)$")]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
# As Kubernetes writes them: "500m" or "2" processors, "512Mi" or "16Gi" of memory.
Processors = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*m|[0-9]+(\.[0-9]+)?)$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti|K|M|G|T)?$")]
ObjectStore = Annotated[str, StringConstraints(pattern=r"^(gs|s3|minio)://[^\s/]+(/\S*)?$")]


def _parted(value: Any, part: Callable[[str], list[str]]) -> Any:
    """The items of a list that flags and environment variables hold as one text; `none` for an empty one."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return tuple(item for text in texts if text.strip().lower() != "none" for item in part(text))


def _words(value: Any) -> Any:
    return _parted(value, lambda text: text.replace(",", " ").split())


def _command_line(value: Any) -> Any:
    return _parted(value, shlex.split)  # an argument may hold commas


Words = Annotated[tuple[Text, ...], BeforeValidator(_words)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], BeforeValidator(_words)]
DatasetIds = Annotated[tuple[Annotated[str, StringConstraints(pattern=DATASET_ID)], ...], BeforeValidator(_words)]
Exports = Annotated[
    tuple[Literal["transformers", "keras", "ctranslate2", "saved_model", "ctranslate2_float32", "adapter"], ...],
    BeforeValidator(_words),
    Field(min_length=1),
]
LoraTargets = Annotated[
    tuple[Literal["query", "key", "value", "output", "feedforward"], ...], BeforeValidator(_words), Field(min_length=1)
]
LoraUnfrozen = Annotated[tuple[Literal["layer_norms", "embeddings"], ...], BeforeValidator(_words)]
Precisions = Annotated[tuple[Literal["int8", "float32"], ...], BeforeValidator(_words)]
Labels = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[\w./-]+=[\w.-]*$")], ...], BeforeValidator(_words)
]
Arguments = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^--[\w-]+(=.*)?$")], ...], BeforeValidator(_command_line)
]
