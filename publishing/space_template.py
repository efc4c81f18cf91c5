"""Renders the Space template: a folder whose text files, whatever their suffix, name a few placeholders.

`$MODEL_REPO_ID` and `${MODEL_REPO_ID}` are placeholders: two or more of `A-Z0-9_`, starting with a letter.
`$$NAME` is a literal `$NAME`. Every other dollar (`$5`, `$$`, `$name`, `\\$`) stays as it is. A placeholder
without a value is an error, found by `check_template` before any training. Files that are not UTF-8 text are
copied.

A template may hold a subfolder with the name of another SDK than its README's, such as `docker/`: its files take the
place of those of the same name, or are added, where that SDK is asked for, and are left out otherwise.

Its file `include.toml` may name Python packages, whose modules the Space carries in a folder of their own, as
`packages = ["some.package"]`; the file itself is left out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from pathlib import Path

from publishing.errors import SpaceTemplateError

SDKS = ("gradio", "docker")
INCLUDE = "include.toml"
PLACEHOLDERS = ("MODEL_REPO_ID", "MODEL_REPO_URL", "MODEL_VERSION", "SHA")

_SKIPPED_NAMES = frozenset({"__pycache__", ".git", ".DS_Store", ".mypy_cache", ".ruff_cache"})
_DOLLAR = re.compile(r"\$(?P<escape>\$)?(?:(?P<bare>[A-Z][A-Z0-9_]+)(?![A-Za-z0-9_])|\{(?P<braced>[A-Z][A-Z0-9_]+)\})")
_FRONT_MATTER = re.compile(r"\A---\s*\n(?P<yaml>.*?)\n---\s*(?:\n|\Z)", re.DOTALL)


def check_template(folder: Path, *, sdk: str | None = None, placeholders: Collection[str] = PLACEHOLDERS) -> None:
    """Checks that `folder` will render: called before training, so that a typing error costs nothing.

    Args:
      folder: the template.
      sdk: what the Space is to run on; None for what the template's README names.
      placeholders: those that will have a value.

    Raises:
      SpaceTemplateError: with every problem found.
    """
    template = read_template(folder, sdk=sdk)
    problems = _unknown_placeholders(template, placeholders)
    problems += _front_matter_problems(template, sdk=sdk)
    if problems:
        known = ", ".join(f"${name}" for name in placeholders)
        raise SpaceTemplateError(
            f"A Space template must be complete and name only known placeholders. Received: {folder}\n  "
            + "\n  ".join(problems)
            + f"\nKnown placeholders: {known}; write $$NAME for a literal $NAME."
        )


def read_template(folder: Path, *, sdk: str | None = None) -> dict[str, bytes]:
    """Returns the template's files by path, for the SDK that is asked for; caches left out.

    Raises:
      SpaceTemplateError: no such folder, a symbolic link in it (its target would be published), or a package that it
        includes is not there.
    """
    if not folder.is_dir():
        raise SpaceTemplateError(
            f"The Space template must be a folder. Received: {folder}. Set publish.space_template."
        )
    paths = [path for path in sorted(folder.rglob("*")) if not _SKIPPED_NAMES & set(path.relative_to(folder).parts)]
    links = [str(path) for path in paths if path.is_symlink()]
    if links:
        raise SpaceTemplateError(f"A Space template must hold no symbolic links. Received: {', '.join(links)}.")
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}
    parts = {path: path.partition("/") for path in files}
    instead = {rest: files[path] for path, (top, _, rest) in parts.items() if top == sdk and rest}
    chosen = {path: files[path] for path, (top, _, rest) in parts.items() if top not in SDKS or not rest} | instead
    return chosen | _included(chosen.pop(INCLUDE, b""))


def _included(content: bytes) -> dict[str, bytes]:
    """Returns the modules of the packages that an `include.toml` names, by their path in the Space."""
    try:
        names = tomllib.loads(content.decode()).get("packages", [])
        folders = {name: _package_folder(name) for name in names}
    except (ValueError, TypeError, AttributeError) as error:
        raise SpaceTemplateError(
            f'{INCLUDE} of a Space template is TOML with packages = ["some.package"]. Received: {error}.'
        ) from error
    return {
        f"{folder.name}/{path.name}": path.read_bytes()
        for folder in folders.values()
        for path in sorted(folder.glob("*.py"))
    }


def _package_folder(name: str) -> Path:
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"no package {name} is installed")
    return Path(next(iter(spec.submodule_search_locations)))


def render(template: Mapping[str, bytes], values: Mapping[str, str]) -> dict[str, bytes]:
    """Returns every text file with its placeholders filled in.

    Raises:
      SpaceTemplateError: a placeholder has no value.
    """
    problems = _unknown_placeholders(template, values)
    if problems:
        raise SpaceTemplateError("Every placeholder needs a value. Received:\n  " + "\n  ".join(problems))
    return {path: _render_file(content, values) for path, content in template.items()}


def space_sdk(folder: Path, *, sdk: str | None = None) -> str:
    """Returns the SDK that the README names, as the Hub knows it: "gradio" or "docker"."""
    readme = read_template(folder, sdk=sdk).get("README.md", b"")
    return str(front_matter(_render_blank(readme)).get("sdk", "gradio"))


def front_matter(readme: str) -> dict[str, object]:
    """Returns the YAML front matter of a card; empty when it has none or it is no mapping."""
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


def _front_matter_problems(template: Mapping[str, bytes], *, sdk: str | None) -> list[str]:
    if "README.md" not in template:
        return ["README.md is missing: a Space is configured by its front matter"]
    settings = front_matter(_render_blank(template["README.md"]))
    if "sdk" not in settings:
        return ["README.md: the front matter must be YAML between two lines '---' and name the sdk"]
    named, app_file = settings["sdk"], str(settings.get("app_file", "app.py"))
    if sdk is not None and named != sdk:
        return [f"README.md names sdk {named}, but {sdk} is asked for: put a {sdk}/README.md into the template"]
    if named == "docker" and "Dockerfile" not in template:
        return ["README.md: sdk docker needs a Dockerfile in the template"]
    if named == "gradio" and app_file not in template:
        return [f"README.md: app_file {app_file} is not in the template"]
    return []


def _render_blank(content: bytes) -> str:
    """Returns the text with every placeholder replaced by a word, so that it parses as YAML."""
    return _DOLLAR.sub("placeholder", content.decode(errors="replace"))


def _text(content: bytes) -> str | None:
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
