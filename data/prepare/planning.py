"""Planning: what is asked for becomes parts, schemas and evaluation prompts, before any row is written."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.errors import SourceError
from data.origin import Origin
from data.prepare.settings import PrepareSettings
from data.prepare.work import Work, write_json
from data.schemas import Schema, schema_of
from data.sources.items import Part, Planned, Record
from data.sources.kinds import kind_for, plan, read
from data.splits import normalised

_LOOKED_AT = 100  # records of a source, whose columns are taken together
_PROMPT_COLUMNS = ("prompt", "instruction", "question", "text", "input")
_CODE = Path(__file__).parents[1]  # another version of data/ may clean otherwise


def prepare_work(work: Work, settings: PrepareSettings) -> dict[str, Any]:
    """Returns the plan, which an earlier run that was killed may have begun to carry out.

    Raises:
        SourceError: If a source cannot be read, or its schema not told.
    """
    request = {"settings": settings.as_dict(), "code": _code_hash()}
    request = json.loads(json.dumps(request))
    earlier = work.folder / "request.json"
    is_same = earlier.exists() and work.read("request.json") == request and (work.folder / "plan.json").exists()
    kept = work.plan() if is_same else None
    made = _plan(settings, kept["sources"] if kept else None)
    if kept != made:
        for path in work.folder.iterdir():
            if path.name != "lock":
                _remove(path)
        write_json(earlier, request)
        write_json(work.path("plan.json"), made)
    return made


def _plan(settings: PrepareSettings, kept: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    sources = []
    for index, address in enumerate(settings.sources):
        is_live = kind_for(address).is_live
        sources.append(dict(kept[index]) if kept and is_live else _source(address, index, settings))
    _require_one_kind(sources)
    parts = [part for source in sources for part in source["parts"]]
    prompts = [text for address in settings.decontaminate for text in _evaluation_prompts(address, settings)]
    return json.loads(
        json.dumps(
            {
                "sources": sources,
                "parts": parts,
                "schemas": [source["schema"] for source in sources],
                "evaluation_prompts": list(dict.fromkeys(prompts)),
            }
        )
    )


def _source(address: str, index: int, settings: PrepareSettings) -> dict[str, Any]:
    planned = plan(address, settings.read)
    schema = _schema(address, planned, settings)
    origin = _origin(planned.origin, index, settings)
    return {
        "origin": origin.as_dict(),
        "facts": [dict(fact) for fact in planned.facts],
        "parts": [part.as_dict() | {"source": index} for part in planned.parts],
        "schema": {"name": schema.name, "columns": dict(schema.columns), "optional": list(schema.optional)},
        "kind": schema.kind,
        "told": schema.described(),
    }


def _schema(address: str, planned: Planned, settings: PrepareSettings) -> Schema:
    columns = dict.fromkeys(
        column for record in itertools.islice(_records(planned.parts, settings), _LOOKED_AT) for column in record.fields
    )
    name = planned.parts[0].name if planned.parts else address
    if not columns:
        raise SourceError(f"{name}: a source must have a record that can be read. Received: none. See what it holds.")
    if settings.group and settings.group not in columns:
        raise SourceError(
            f"{name}: --group must name a column. Received: {settings.group}, beside {', '.join(columns)}."
        )
    return schema_of(list(columns), settings.columns, name)


def _records(parts: Sequence[Part], settings: PrepareSettings) -> Any:
    """Yields the records of the first of the parts that has any."""
    for part in parts:
        found = (item for item in itertools.islice(read(part, settings.read), _LOOKED_AT) if isinstance(item, Record))
        first = next(found, None)
        if first is not None:
            yield first
            yield from found
            return


def _origin(origin: Origin, index: int, settings: PrepareSettings) -> Origin:
    """Returns what is known of a source: by itself, or else by what the user says."""
    given = settings.licenses[index if len(settings.licenses) > 1 else 0] if settings.licenses else None
    if origin.license and given and given != origin.license:
        raise SourceError(
            f"--license is for rows of your own. Received: {given} for {', '.join(origin.sources)}, "
            f"which is {origin.license}. Leave it out."
        )
    datasets = origin.datasets or settings.datasets
    return Origin(given or origin.license, datasets, origin.sources)


def _require_one_kind(sources: Sequence[Mapping[str, Any]]) -> None:
    kinds = {source["kind"] for source in sources}
    if len(kinds) > 1:
        told = "; ".join(f"{', '.join(source['origin']['sources'])}: {source['told']}" for source in sources)
        raise SourceError(
            "Sources must be all instructions or all documents. Received: both. "
            f"{told}. Prepare them into two folders, or map the columns by --columns."
        )


def _evaluation_prompts(address: str, settings: PrepareSettings) -> list[str]:
    """Returns the prompts of an evaluation set: of its columns the first that holds prompts."""
    planned = plan(address, settings.read)
    texts = []
    for part in planned.parts:
        for item in read(part, settings.read):
            if not isinstance(item, Record):
                raise SourceError(f"{item.location}: {item.problem} An evaluation set must be whole: correct it.")
            column = next((name for name in _PROMPT_COLUMNS if isinstance(item.fields.get(name), str)), None)
            if column is None:
                raise SourceError(
                    f"{item.location}: an evaluation set must have a column {', '.join(_PROMPT_COLUMNS)}. "
                    f"Received: {', '.join(map(str, item.fields))}. Rename one."
                )
            lines = item.fields[column].splitlines() if part.address.endswith(".txt") else [item.fields[column]]
            texts += [line for line in lines if normalised(line)]
    return texts


def _code_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted(_CODE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _remove(path: Path) -> None:
    import shutil

    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
