"""Types of the fields of the runners' and the publication's groups; :mod:`modules.settings.types` has the rest."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from data.origin import DATASET_ID
from modules.exports import find_form
from modules.settings.types import Words, none_from_word, split_items, split_words

OptionalPort = Annotated[Annotated[int, Field(ge=1, le=65535)] | None, BeforeValidator(none_from_word)]
PipelineName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
# As Kubernetes writes them: "500m" or "2" processors, "512Mi" or "16Gi" of memory.
Processors = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]*m|[0-9]+(\.[0-9]+)?)$")]
Memory = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(Ki|Mi|Gi|Ti|K|M|G|T)?$")]
ObjectStore = Annotated[str, StringConstraints(pattern=r"^(gs|s3|minio)://[^\s/]+(/\S*)?$")]


def _command_line(value: Any) -> Any:
    return split_items(value, shlex.split)  # an argument may hold commas


DatasetIds = Annotated[tuple[Annotated[str, StringConstraints(pattern=DATASET_ID)], ...], BeforeValidator(split_words)]


def _known_forms(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        find_form(name)  # whether there is one
    return names


Exports = Annotated[Words, Field(min_length=1), AfterValidator(_known_forms)]
Labels = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[\w./-]+=[\w.-]*$")], ...], BeforeValidator(split_words)
]
Arguments = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^--[\w-]+(=.*)?$")], ...], BeforeValidator(_command_line)
]
