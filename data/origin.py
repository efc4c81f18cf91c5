"""The source of a data set and its licence: the file dataset.json beside its TFRecords.

    {"license": "cc-by-nc-4.0", "datasets": ["tatsu-lab/alpaca"], "sources": ["https://…/alpaca_data.json"],
     "preparation": {"licenses": {…}, "eval_percent": 5.0, "seed": 0, "sha256": {"rows-train-…": "…"}}}

What writes TFRecords writes it, or a person does, without `preparation`; the pipeline carries it to the model's card.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from typing import Any

from data.errors import SourceError

MANIFEST = "dataset.json"
# With or without a namespace: the Hub's oldest datasets have none.
DATASET_ID = r"^([A-Za-z0-9][\w.-]{0,94}/)?[A-Za-z0-9][\w.-]{0,94}$"
_LICENSE_ID = r"^[a-z0-9][a-z0-9.-]*$"


@dataclass(frozen=True)
class Origin:
    """The origin of a data set; SourceError if it is not valid.

    Attributes:
        license: the Hub's identifier, such as `cc-by-nc-4.0`; None if it is not known.
        datasets: the Hub's names of the data sets, such as `tatsu-lab/alpaca`.
        sources: addresses or names of the files that the rows were made from.
        preparation: licence by source, share and seed of the split, SHA-256 of each file, as `data.prepare` writes it;
            empty where a person wrote the file.
    """

    license: str | None = None
    datasets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    preparation: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.license is not None and not re.fullmatch(_LICENSE_ID, self.license):
            raise SourceError(
                f"A licence must be the Hub's identifier of it, such as cc-by-4.0. Received: {self.license!r}. "
                "Take one of https://huggingface.co/docs/hub/repositories-licenses."
            )
        for name in self.datasets:
            if not re.fullmatch(DATASET_ID, name):
                raise SourceError(
                    "A data set must be named as on the Hub, such as tatsu-lab/alpaca. "
                    f"Received: {name!r}. Leave it out if it is not there."
                )

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON data, as :func:`origin_of` takes it."""
        told: dict[str, Any] = {
            "license": self.license,
            "datasets": list(self.datasets),
            "sources": list(self.sources),
        }
        return told | ({"preparation": dict(self.preparation)} if self.preparation else {})

    def render(self) -> str:
        """Returns the text of dataset.json."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"


def parse_origin(content: bytes, location: str) -> Origin:
    """Returns what a dataset.json says.

    Raises:
        SourceError: Naming `location`, if it says it otherwise.
    """
    try:
        return origin_of(json.loads(content))
    except SourceError as error:
        raise SourceError(f"{location}: {error}") from error
    except ValueError as error:  # not JSON, or not UTF-8
        raise SourceError(f"{location}: the file must be JSON. Received: {error}. Correct it there.") from error


def origin_of(content: Any) -> Origin:
    """Returns what `Origin.as_dict` gave, read back from JSON; SourceError if it is anything else."""
    known = [field.name for field in fields(Origin)]
    if not isinstance(content, dict) or content.keys() - set(known):
        received = ", ".join(sorted(content)) if isinstance(content, dict) else type(content).__name__
        raise SourceError(
            f"A data set is described by an object with {', '.join(known)}. Received: {received}. Rename what is else."
        )
    license = content.get("license")
    if not isinstance(license, str | None):
        raise SourceError(f"license must be one text, or null. Received: {license!r}. Name one licence.")
    preparation = content.get("preparation", {})
    if not isinstance(preparation, dict):
        raise SourceError(f"preparation must be an object. Received: {preparation!r:.80}. Leave it out.")
    return Origin(license, _texts(content, "datasets"), _texts(content, "sources"), preparation)


def manifest_paths(base: str, file: str) -> list[str]:
    """Returns where the dataset.json of `file` may be: beside it, else in the folders above, as far as `base`.

    Args:
        base: folder or address below which `file` is.
        file: path or address of a TFRecord file.
    """
    root = base.rstrip("/")
    within = PurePosixPath(file.removeprefix(root).lstrip("/")).parent
    return [f"{root}/{folder / MANIFEST}" for folder in (within, *within.parents)]


def _texts(content: dict[str, Any], name: str) -> tuple[str, ...]:
    texts = content.get(name, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SourceError(f"{name} must be a list of texts. Received: {texts!r:.80}. Write [] for none.")
    return tuple(texts)


def described(origin: Origin) -> Iterable[str]:
    """Returns lines for a screen."""
    if origin.license is None:
        yield "licence: not known, so a model's card will claim none; name it with --license"
    else:
        yield f"licence: {origin.license}"
    if origin.datasets:
        yield f"data sets: {', '.join(origin.datasets)}"
