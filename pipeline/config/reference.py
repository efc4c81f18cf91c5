"""Writes docs/configuration.md from the settings themselves: ``python -m pipeline.config.reference``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from pipeline.config import PipelineConfig
from pipeline.config.sources import PROFILES, fields, flag_of, profile_names, variable_of

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"
EXAMPLE = "training.learning_rate"
INTRODUCTION = f"""\
# Configuration

<!-- Written by `make configuration`, from the docstrings of the settings. Do not edit it by hand. -->

Every setting of the pipeline is listed below. There are three ways to give one a value:

| where | how `{EXAMPLE}` is written there |
| --- | --- |
| a flag of `local_runner.py` (with `make`: `make run ARGS="…"`) | `{flag_of(EXAMPLE)} 1e-3` |
| an environment variable | `{variable_of(EXAMPLE)}=1e-3` |
| a TOML file, given with `--profile mine.toml` | `learning_rate = 1e-3` below `[training]` |

If a setting has a value in several places, a flag wins over the environment, the environment wins over the TOML file,
and the file wins over the default in the tables below. A list is written as one text, with spaces or commas between
its items. The word `none` stands for no value, or for an empty list. An environment variable that is empty counts as
not set.

`.venv/bin/python local_runner.py --help` prints the same texts. All wrong values are reported together, before anything
runs, and each message names the place that the value came from.
"""
PROFILES_INTRODUCTION = """\
## Profiles

A profile is a TOML file with some of the settings. `--profile NAME` takes one that comes with the project, from
`pipeline/profiles/`; `--profile PATH.toml` takes a file of your own. Without the flag, the profile is `quickstart`.

| profile | what it is for |
| --- | --- |
"""


def render() -> str:
    """Returns the whole page."""
    groups = [list(group) for _, group in groupby(fields().items(), key=lambda item: _group(item[0]))]
    return "\n".join([INTRODUCTION, *map(_section, groups), PROFILES_INTRODUCTION + "".join(_profile_rows())])


def _section(settings: list[tuple[str, FieldInfo]]) -> str:
    """Returns the heading and the table of one group."""
    heading = _heading(_group(settings[0][0]))
    rows = "".join(f"| `{name}` | {_default(info)} | {_cell(info.description)} |\n" for name, info in settings)
    return f"{heading}\n| setting | default | meaning |\n| --- | --- | --- |\n{rows}"


def _heading(group: str) -> str:
    if not group:
        return "## The run\n"
    return f"## {group}\n\n{_sentence(PipelineConfig.model_fields[group].description)}\n"


def _profile_rows() -> Iterator[str]:
    for name in profile_names():
        yield f"| `{name}` | {_first_comment((PROFILES / f'{name}.toml').read_text(encoding='utf-8'))} |\n"


def _first_comment(toml: str) -> str:
    return toml.splitlines()[0].removeprefix("# ")


def _group(name: str) -> str:
    return name.rpartition(".")[0]


def _default(info: FieldInfo) -> str:
    return f"`{_written(info.get_default(call_default_factory=True))}`"


def _written(value: Any) -> str:
    """Returns a value as a flag has it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _sentence(text: str | None) -> str:
    """Returns a docstring on one line."""
    return re.sub(r"\s+", " ", text or "").strip()


def _cell(text: str | None) -> str:
    """Returns a docstring as it stands in a table."""
    return _sentence(text).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
