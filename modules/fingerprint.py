"""A hash of the code that a component runs, for TFX's cache key.

A dotted ``run_fn`` skips TFX's wheel building but is not part of its cache key, so an edited module would be
served from cache. The pipeline passes this fingerprint in ``custom_config`` instead.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

PACKAGE = "modules"
FOLDER = Path(__file__).parent


def fingerprint(module: str, *, folder: Path = FOLDER) -> str:
    """sha256 over the source of `module` and of everything it imports, transitively, inside ``modules/``.

    Imports inside functions count too. Nothing is imported, only parsed.

    Args:
        module: dotted name inside the package, such as ``modules.trainer``.
        folder: the package's.

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    digest = hashlib.sha256()
    for name, source in sorted(_sources(module, folder).items()):
        digest.update(f"{name}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def _sources(module: str, folder: Path = FOLDER) -> dict[str, bytes]:
    if _path(module, folder) is None:
        raise ModuleNotFoundError(f"A fingerprint needs a module inside {PACKAGE}/. Received: module={module!r}")
    sources: dict[str, bytes] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = _path(name, folder)
        if name in sources or path is None:  # what a module defines, not a module
            continue
        sources[name] = path.read_bytes()
        pending.extend(_imports(sources[name]))
    return sources


def _path(module: str, folder: Path) -> Path | None:
    """The file of a module or a folder of modules."""
    top, *rest = module.split(".")
    if top != PACKAGE:
        return None
    place = folder.joinpath(*rest)
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def _imports(source: bytes) -> set[str]:
    """All that may name a module: of ``from a.b import c``, both ``a.b`` and ``a.b.c``."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found
