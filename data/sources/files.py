"""Files as a source: of this machine or behind an address, one, a folder or a glob, in any of the formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data.errors import SourceError
from data.lines import COMPRESSED, compression_of, kind_of
from data.origin import Origin
from data.sources.addresses import FileFacts, base_name, expand, file_facts
from data.sources.formats import columnar, delimited, json_lines, json_list, plain_text
from data.sources.formats.format import FileFormat
from data.sources.items import Item, Part, Planned, ReadSettings, SourceKind

FORMATS: Sequence[FileFormat] = (
    json_list.FORMAT,
    json_lines.FORMAT,
    delimited.FORMAT,
    columnar.FORMAT,
    plain_text.FORMAT,
)
SUFFIXES: Mapping[str, FileFormat] = {suffix: each for each in FORMATS for suffix in each.suffixes}
_MARK_FILES = ("dataset.json", "report.json", "croissant.json")  # what this command leaves beside rows


def plan(address: str, settings: ReadSettings) -> Planned:
    """Returns the files that `address` names, hashed.

    Raises:
        SourceError: If there is none, or one of another format.
    """
    files = expand(address)
    if files != [address]:
        files = [file for file in files if kind_of(file) in SUFFIXES and base_name(file) not in _MARK_FILES]
    if not files:
        raise SourceError(f"A source folder must hold {_names()} files. Received: {address}, without any.")
    return plan_files(files, settings, names=files, origin=Origin(sources=(base_name(address),)))


def plan_files(files: Sequence[str], settings: ReadSettings, *, names: Sequence[str], origin: Origin) -> Planned:
    """Returns the plan of these files, which messages call by `names`."""
    for file in files:
        _format_of(file)
    facts = file_facts(list(files), settings.part_bytes)
    parts = tuple(
        part for file, name, each in zip(files, names, facts, strict=True) for part in _parts(file, name, each)
    )
    told = tuple(_told(name, each) for name, each in zip(names, facts, strict=True))
    return Planned(parts, told, origin)


def read(part: Part, settings: ReadSettings) -> Iterator[Item]:
    """Yields the records of a part.

    Raises:
        SourceError: If the file is damaged or cut.
    """
    return _format_of(part.address).read(part, settings)


def _parts(file: str, name: str, facts: FileFacts) -> Iterator[Part]:
    if compression_of(file) or not _format_of(file).is_split:
        yield Part(KIND.name, name, file)
        return
    starts = [(0, 1), *facts.cuts]
    ends: list[int | None] = [*(byte for byte, _ in facts.cuts), None]
    for (start, line), end in zip(starts, ends, strict=True):
        yield Part(KIND.name, name, file, start=start, end=end, first_line=line)


def _told(name: str, facts: FileFacts) -> Mapping[str, Any]:
    return {"name": base_name(name), "sha256": facts.sha256, "bytes": facts.bytes}


def _format_of(address: str) -> FileFormat:
    if (suffix := kind_of(address)) not in SUFFIXES:
        raise SourceError(
            f"A source must be named {_names()}, or one of those with {COMPRESSED} behind it. "
            f"Received: {base_name(address)}. Rename or convert it."
        )
    return SUFFIXES[suffix]


def _names() -> str:
    names = list(SUFFIXES)
    return f"{', '.join(names[:-1])} or {names[-1]}"


KIND = SourceKind("files", lambda address: True, plan, read)
