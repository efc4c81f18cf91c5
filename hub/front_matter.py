"""The YAML at the head of a README: reading it, and the checks that the Hub makes before a commit."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from datetime import date
from typing import Any, Final

import yaml

from hub.card_rules import MISSING, problems_of

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(?P<yaml>.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_OPENING = re.compile(r"\A\s*---[ \t]*\r?\n")
MAX_BYTES: Final = 512 * 1024
MAX_INTEGER: Final = 2**63

# PyYAML lets these through from values under a wrong tag, such as `!!int ""` or `!!timestamp soon`.
_CONVERSION_ERRORS: Final = (AttributeError, IndexError, KeyError, OverflowError, TypeError)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML without aliases (which can blow up) and without keys given twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not allowed")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else id(key_node)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise yaml.YAMLError(f"line {line} gives the key {key!r} again")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def split_card(text: str) -> tuple[str | None, str]:
    """Returns the YAML between the two `---` lines, or None, and the text after it."""
    match = _FRONT_MATTER.match(text)
    return (match["yaml"], text[match.end() :].lstrip("\r\n")) if match else (None, text)


def metadata(text: str) -> dict[str, Any]:
    """Returns the front matter as plain JSON values; empty where there is none or where it is not valid."""
    source, _ = split_card(text)
    try:
        value = _load(source or "")
    except ValueError:
        return {}
    return _plain(value) if isinstance(value, dict) else {}


def validate(text: str, kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about the README of a repository of this kind, every one of them."""
    source, _ = split_card(text)
    if source is None and _OPENING.match(text):
        return ["The front matter opened by '---' in the first line is never closed by another '---'."], []
    try:
        value = _load(source or "")
    except ValueError as error:
        return [f"The front matter is not valid YAML: {error}"], []
    if value is None:
        return ([MISSING], []) if kind == "spaces" else ([], [MISSING])
    if not isinstance(value, dict):
        return [f"The front matter is a mapping of names to values. Received: {type(value).__name__}"], []
    return problems_of(value, kind)


def _load(source: str) -> Any:
    if len(source.encode(errors="replace")) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    try:
        return yaml.load(source, _StrictLoader)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except (yaml.YAMLError, *_CONVERSION_ERRORS) as error:
        raise ValueError(str(error)) from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return None if isinstance(value, int) and abs(value) > MAX_INTEGER else value
