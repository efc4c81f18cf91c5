"""A page about the routes, made from the schema; it loads nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
section { border: 1px solid #7d8da4; border-radius: .5rem; padding: .25rem 1rem; margin: 1rem 0; }
h2 { margin-top: 2.5rem; } h3 { font-family: ui-monospace, monospace; font-size: 1rem; overflow-wrap: anywhere; }
h3 b { border: 1px solid; border-radius: .25rem; padding: .1rem .4rem; margin-right: .5rem; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; }
td { border-top: 1px solid #7d8da466; } code { overflow-wrap: anywhere; }
"""


def docs_page(schema: dict[str, Any]) -> str:
    """Returns the page as HTML."""
    info = schema["info"]
    body = "".join(_groups(schema))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a>.</p>{body}</html>'
    )


def _groups(schema: dict[str, Any]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            tag = operation.get("tags", ["Other"])[0]
            groups.setdefault(tag, []).append(_section(schema, path, method, operation))
    for tag, sections in groups.items():
        yield f"<h2>{escape(tag)}</h2>{''.join(sections)}"


def _section(schema: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    asked = _table(schema, body, "The request's fields")
    answered = "".join(
        f"<tr><td>{escape(status)}<td>{escape(response['description'])}"
        for status, response in sorted(operation["responses"].items())
    )
    return (
        f"<section><h3><b>{method.upper()}</b>{escape(path)}</h3><p>{escape(operation.get('description', ''))}</p>"
        f"{asked}<details><summary>Answers</summary><table>{answered}</table></details></section>"
    )


def _table(schema: dict[str, Any], body: dict[str, Any], title: str) -> str:
    fields = _resolved(schema, body)
    required = fields.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code>{' *' if name in required else ''}"
        f"<td>{escape(_kind(field))}<td>{escape(field.get('description', ''))}"
        for name, field in fields.get("properties", {}).items()
    )
    return f"<details><summary>{title} (* must be there)</summary><table>{rows}</table></details>" if rows else ""


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["components"]["schemas"][name] if name else part
    return found


def _kind(field: dict[str, Any]) -> str:
    """Returns a field's type in words."""
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_kind(each) for each in field["anyOf"] if each.get("type") != "null"))
    if "$ref" in field:
        return str(field["$ref"].rpartition("/")[2])
    if field.get("type") == "array":
        return f"list of {_kind(field.get('items', {}))}"
    limits = [f"{sign} {_number(field[name])}" for name, sign in _LIMITS.items() if name in field]
    return " ".join([str(field.get("type", "")), *limits]).strip()


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else str(value)


_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
