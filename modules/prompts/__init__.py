"""Prompt formats, which turn rows into prompts: a module per format, and the registry of those that settings may
name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from modules import registry
from modules.prompts.alpaca import ALPACA
from modules.prompts.document import DOCUMENT
from modules.prompts.format import PromptFormat

__all__ = [
    "ALPACA",
    "AUTO",
    "DEFAULTS",
    "DOCUMENT",
    "FORMATS",
    "PromptFormat",
    "RowKind",
    "find_format",
    "format_of_spec",
]

AUTO = "auto"
SETTING = "data.prompt_format"
RowKind = Literal["instructions", "text"]
FORMATS: Mapping[str, PromptFormat] = {prompt_format.name: prompt_format for prompt_format in (ALPACA, DOCUMENT)}
# What data.prompt_format = auto means, by data.kind.
DEFAULTS: Mapping[RowKind, PromptFormat] = {"instructions": ALPACA, "text": DOCUMENT}


def find_format(name: str, *, kind: RowKind) -> PromptFormat:
    """Returns the format that prompts are made in.

    Args:
        name: of a format, ``package.module:OBJECT`` for one of the user's own, or `auto`.
        kind: of the rows, which decides what `auto` means.

    Raises:
        RegistryError: If there is none of this name.
    """
    return registry.find(name, {AUTO: DEFAULTS[kind], **FORMATS}, entry_type=PromptFormat, setting=SETTING)


def format_of_spec(spec: Mapping[str, Any]) -> PromptFormat:
    """Returns a format with the templates that ``prompt.json`` publishes, whatever it was called."""
    return PromptFormat("published", spec["with_input"], spec["without_input"], response_marker="", chat_template="")
