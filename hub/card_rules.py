"""Rules of a card's front matter; names and values are the Hub's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

MISSING: Final = "empty or missing yaml metadata in repo card"

_LICENSES = """
    apache-2.0 mit openrail bigscience-openrail-m creativeml-openrail-m bigscience-bloom-rail-1.0
    bigcode-openrail-m afl-3.0 artistic-2.0 bsl-1.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear c-uda
    cc cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0
    cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0
    cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 cdla-permissive-2.0 wtfpl ecl-2.0 epl-1.0 epl-2.0
    etalab-2.0 eupl-1.1 eupl-1.2 agpl-3.0 gfdl gpl gpl-2.0 gpl-3.0 lgpl lgpl-2.1 lgpl-3.0 isc h-research
    intel-research lppl-1.3c ms-pl apple-ascl apple-amlr mpl-2.0 odc-by odbl openmdw-1.0 openrail++ osl-3.0
    postgresql ofl-1.1 ncsa unlicense zlib pddl lgpl-lr deepfloyd-if-license
    fair-noncommercial-research-license llama2 llama3 llama3.1 llama3.2 llama3.3 llama4 grok2-community
    gemma unknown other
"""
LICENSES: Final = frozenset(_LICENSES.split())
SDKS: Final = frozenset({"gradio", "docker", "static", "streamlit"})
COLORS: Final = frozenset({"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"})

_REPO = re.compile(r"(?:[\w-][\w.-]*/)?[\w-][\w.-]{0,95}", re.ASCII)
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*|multilingual|code")
_VERSION = re.compile(r"\d+(?:\.\d+)*(?:[-.]?[A-Za-z]+\d*)?")
_RELATIVE_PATH = re.compile(r"(?!/)(?!.*(?:^|/)\.\.(?:/|$)).+")

Check = Callable[[Any], str | None]


def problems_of(card: Mapping[str, Any], kind: str) -> tuple[list[str], list[str]]:
    """Errors and warnings about a card's metadata."""
    checks = {**_COMMON, **(_SPACE if kind == "spaces" else _MODEL)}
    rules = {name: check(card[name]) for name, check in checks.items() if name in card}
    errors = [f'"{name}" {rule}' for name, rule in rules.items() if rule]
    if kind == "spaces" and "sdk" not in card:
        errors.append('"sdk" is required in the card of a Space')
    return errors, _warnings(card, kind)


def _warnings(card: Mapping[str, Any], kind: str) -> list[str]:
    warnings = []
    if kind == "models" and "license" not in card:
        warnings.append('"license" is not given')
    if card.get("license") == "other" and not card.get("license_name"):
        warnings.append('"license_name" should name the license where "license" is "other"')
    if isinstance(card.get("python_version"), float):
        warnings.append('"python_version" should be quoted, since YAML reads 3.10 as 3.1')
    return warnings


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() else f"must be a string. Received: {value!r}"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false. Received: {value!r}"


def _one_of(allowed: frozenset[str]) -> Check:
    def check(value: Any) -> str | None:
        known = isinstance(value, str) and value in allowed
        return None if known else f"must be one of [{', '.join(sorted(allowed))}]. Received: {value!r}"

    return check


def _matching(pattern: re.Pattern[str], meaning: str) -> Check:
    def check(value: Any) -> str | None:
        fits = isinstance(value, str) and pattern.fullmatch(value)
        return None if fits else f"must be {meaning}. Received: {value!r}"

    return check


def _one_or_many(check_one: Check) -> Check:
    def check(value: Any) -> str | None:
        items = value if isinstance(value, list) else [value]
        return next((rule for item in items if (rule := check_one(item))), None)

    return check


def _many(check_one: Check) -> Check:
    def check(value: Any) -> str | None:
        if not isinstance(value, list):
            return f"must be a list. Received: {value!r}"
        return next((f"has an item that {rule}" for item in value if (rule := check_one(item))), None)

    return check


def _short_text(value: Any) -> str | None:
    fits = isinstance(value, str) and len(value) <= 60
    return None if fits else f"must be a string of at most 60 characters. Received: {value!r}"


def _port(value: Any) -> str | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65535
    return None if fits else f"must be a port from 1 to 65535. Received: {value!r}"


def _python_version(value: Any) -> str | None:
    fits = _VERSION.fullmatch(str(value)) and not isinstance(value, bool)
    return None if fits else f"must be a version such as 3.11. Received: {value!r}"


def _model_index(value: Any) -> str | None:
    if not isinstance(value, list):
        return f"must be a list. Received: {value!r}"
    return next((rule for model in value if (rule := _indexed_model(model))), None)


def _indexed_model(model: Any) -> str | None:
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        return "has an entry without a name"
    results = model.get("results")
    if not isinstance(results, list):
        return f"has no list of results for {model['name']}"
    return next((f"{rule} for {model['name']}" for result in results if (rule := _result(result))), None)


def _result(result: Any) -> str | None:
    if not isinstance(result, dict):
        return "has a result that is not a mapping"
    for part, names in (("task", ("type",)), ("dataset", ("type", "name"))):
        block = result.get(part)
        if not isinstance(block, dict) or any(not isinstance(block.get(name), str) for name in names):
            return f"has a result whose {part} lacks {' or '.join(names)}"
    metrics = result.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        return "has a result without metrics"
    complete = all(isinstance(m, dict) and isinstance(m.get("type"), str) and "value" in m for m in metrics)
    return None if complete else "has a metric without type or value"


_REPO_ID = _matching(_REPO, "a repository id such as namespace/name")

_COMMON: Final[dict[str, Check]] = {
    "license": _one_or_many(_one_of(LICENSES)),
    "license_name": _text,
    "tags": _many(_text),
    "datasets": _one_or_many(_REPO_ID),
    "thumbnail": _text,
}
_MODEL: Final[dict[str, Check]] = {
    "language": _one_or_many(_matching(_LANGUAGE, "an ISO 639 code such as en (no must be quoted)")),
    "base_model": _one_or_many(_REPO_ID),
    "library_name": _text,
    "pipeline_tag": _matching(re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*"), "a task such as text-generation"),
    "model-index": _model_index,
}
_SPACE: Final[dict[str, Check]] = {
    "title": _text,
    "emoji": _text,
    "colorFrom": _one_of(COLORS),
    "colorTo": _one_of(COLORS),
    "sdk": _one_of(SDKS),
    "sdk_version": _matching(_VERSION, 'a quoted version such as "6.31.0"'),
    "python_version": _python_version,
    "app_port": _port,
    "app_file": _matching(_RELATIVE_PATH, "a path inside the repository"),
    "short_description": _short_text,
    "pinned": _flag,
    "models": _many(_REPO_ID),
}
