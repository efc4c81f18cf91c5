"""The Space template: a folder whose text files, whatever their suffix, name a few placeholders.

`$MODEL_REPO_ID` and `${MODEL_REPO_ID}` are placeholders: two or more of `A-Z0-9_`, starting with a letter.
`$$NAME` is a literal `$NAME`. Every other dollar (`$5`, `$$`, `$name`, `\\$`) stays as it is. A placeholder
without a value is an error, found by `check_template` before any training. Files that are not UTF-8 text are
copied.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.components.hf_pusher.errors import SpaceTemplateError

PLACEHOLDERS = ("MODEL_REPO_ID", "MODEL_REPO_URL", "MODEL_VERSION", "SHA")

_SKIPPED_NAMES = frozenset({"__pycache__", ".git", ".DS_Store", ".mypy_cache", ".ruff_cache"})
_DOLLAR = re.compile(r"\$(?P<escape>\$)?(?:(?P<bare>[A-Z][A-Z0-9_]+)(?![A-Za-z0-9_])|\{(?P<braced>[A-Z][A-Z0-9_]+)\})")
_FRONT_MATTER = re.compile(r"\A---\s*\n(?P<yaml>.*?)\n---\s*(?:\n|\Z)", re.DOTALL)


def check_template(folder: Path, *, placeholders: Collection[str] = PLACEHOLDERS) -> None:
    """Checks that `folder` will render: called before training, so that a typing error costs nothing.

    Raises:
      SpaceTemplateError: with every problem found.
    """
    problems = _unknown_placeholders(read_template(folder), placeholders)
    problems += _front_matter_problems(folder)
    if problems:
        known = ", ".join(f"${name}" for name in placeholders)
        raise SpaceTemplateError(
            f"A Space template must be complete and name only known placeholders. Received: {folder}\n  "
            + "\n  ".join(problems)
            + f"\nKnown placeholders: {known}; write $$NAME for a literal $NAME."
        )


def read_template(folder: Path) -> dict[str, bytes]:
    """The template's files by path, caches left out.

    Raises:
      SpaceTemplateError: no such folder, or a symbolic link in it (its target would be published).
    """
    if not folder.is_dir():
        raise SpaceTemplateError(
            f"The Space template must be a folder. Received: {folder}. Set publish.space_template."
        )
    paths = [path for path in sorted(folder.rglob("*")) if not _SKIPPED_NAMES & set(path.relative_to(folder).parts)]
    links = [str(path) for path in paths if path.is_symlink()]
    if links:
        raise SpaceTemplateError(f"A Space template must hold no symbolic links. Received: {', '.join(links)}.")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def render(template: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """Every text file with its placeholders filled in.

    Raises:
      SpaceTemplateError: a placeholder has no value.
    """
    problems = _unknown_placeholders(template, values)
    if problems:
        raise SpaceTemplateError("Every placeholder needs a value. Received:\n  " + "\n  ".join(problems))
    return {path: _render_file(content, values) for path, content in template.items()}


def space_sdk(folder: Path) -> str:
    """The SDK that the template's README names, as the Hub knows it: "gradio" or "docker"."""
    readme = folder / "README.md"
    settings = front_matter(_render_blank(readme.read_bytes())) if readme.is_file() else {}
    return str(settings.get("sdk", "gradio"))


def front_matter(readme: str) -> dict[str, object]:
    """The YAML front matter of a card; empty when it has none or it is no mapping."""
    import yaml

    match = _FRONT_MATTER.match(readme)
    try:
        content = yaml.safe_load(match["yaml"]) if match else {}
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _render_file(content: bytes, values: Mapping[str, str]) -> bytes:
    text = _text(content)
    if text is None:
        return content

    def fill(match: re.Match[str]) -> str:
        return match[0][1:] if match["escape"] else values[match["bare"] or match["braced"]]

    return _DOLLAR.sub(fill, text).encode()


def _unknown_placeholders(template: Mapping[str, bytes], known: Collection[str]) -> list[str]:
    return [
        f"{path}:{number}: ${name} has no value"
        for path, content in template.items()
        for number, line in enumerate((_text(content) or "").split("\n"), start=1)
        for match in _DOLLAR.finditer(line)
        if not match["escape"] and (name := match["bare"] or match["braced"]) not in known
    ]


def _front_matter_problems(folder: Path) -> list[str]:
    readme = folder / "README.md"
    if not readme.is_file():
        return ["README.md is missing: a Space is configured by its front matter"]
    settings = front_matter(_render_blank(readme.read_bytes()))
    if "sdk" not in settings:
        return ["README.md: the front matter must be YAML between two lines '---' and name the sdk"]
    app_file = settings.get("app_file", "app.py")
    if settings["sdk"] == "docker" and not (folder / "Dockerfile").is_file():
        return ["README.md: sdk docker needs a Dockerfile in the template"]
    if settings["sdk"] == "gradio" and not (folder / str(app_file)).is_file():
        return [f"README.md: app_file {app_file} is not in the template"]
    return []


def _render_blank(content: bytes) -> str:
    """The text with every placeholder replaced by a word, so that it parses as YAML."""
    return _DOLLAR.sub("placeholder", content.decode(errors="replace"))


def _text(content: bytes) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
