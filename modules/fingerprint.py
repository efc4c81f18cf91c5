"""A hash of the code that a component runs, for TFX's cache key.

A dotted ``run_fn`` skips TFX's wheel building but is not part of its cache key, so an edited module would be
served from cache. The pipeline passes this fingerprint in ``custom_config`` instead.
"""

from __future__ import annotations

import ast
import hashlib
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "modules"


def fingerprint(module: str) -> str:
    """sha256 over the source of `module` and of everything it imports, transitively, inside ``modules/``.

    Imports inside functions count too. Nothing is imported, only parsed.

    Args:
        module: dotted name inside the package, such as ``modules.trainer``.

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_sources(module).items()):
        digest.update(f"{name}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def _sources(module: str) -> dict[str, bytes]:
    sources: dict[str, bytes] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        sources[name] = _path(name).read_bytes()
        pending.extend(_imports(sources[name]))
    return sources


def _path(module: str) -> Path:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"A fingerprint needs a module inside {PACKAGE}/. Received: module={module!r}")
    return Path(spec.origin)


def _imports(source: bytes) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == PACKAGE:
                found.update(f"{PACKAGE}.{alias.name}" for alias in node.names)
            else:
                found.add(node.module)
    return {name for name in found if name.startswith(f"{PACKAGE}.")}
