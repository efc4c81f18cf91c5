"""A hash of the code that a component runs, for TFX's cache key.

TFX's cache key covers a component's inputs and parameters, not its code, so that an edited module would be served from
cache. Every component of ours therefore has this fingerprint among its parameters: of its executor, or, for Transform,
Trainer and Tuner, of the module that they are given.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sysconfig
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from modules.registry import is_reference

PROJECT = Path(__file__).parents[1]
PACKAGES = ("data", "hub", "modules", "pipeline", "publishing")
TEMPLATES = "templates"  # folder of a package, with the Jinja templates that its code renders
_MODULE_NAME = re.compile(rf"({'|'.join(PACKAGES)})(\.\w+)+")


def fingerprint(*modules: str, project: Path = PROJECT) -> str:
    """Returns the sha256 over the source of `modules` and of every file of the project that they import.

    The same wherever the project lies.

    Args:
        modules: dotted names, such as ``modules.trainer``.
        project: folder that the packages lie in.

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    digest = hashlib.sha256()
    for name, source in sorted(covered_sources(*modules, project=project).items()):
        digest.update(f"{name}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def reference_fingerprint(names: Iterable[str]) -> str:
    """Returns the fingerprints of the modules that settings refer to, for TFX's cache key; "" if none is referred to.

    Installed packages do not count, as in the project's own fingerprints.

    Args:
        names: of settings, such as ``package.module:OBJECT``; those that are no references are left out.
    """
    modules = sorted({name.partition(":")[0] for name in names if is_reference(name)})
    roots = {module: root for module in modules if (root := _root(module)) is not None}
    return "".join(fingerprint(module, project=root) for module, root in roots.items())


def _root(module: str) -> Path | None:
    """Returns the folder that a module's outermost package lies in; None if it is installed, or no file."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None or not spec.has_location:
        return None
    if any(spec.origin.startswith(sysconfig.get_path(scheme)) for scheme in ("purelib", "platlib", "stdlib")):
        return None
    source = Path(spec.origin)
    return (source.parent if source.name == "__init__.py" else source.with_suffix("")).parents[module.count(".")]


def covered_sources(*modules: str, project: Path = PROJECT) -> Mapping[str, bytes]:
    """Returns the source of `modules` and of what they import, transitively, by module name.

    Imports inside functions count, and so do the packages that a module lies in, whose ``__init__.py`` runs first, and
    modules that are named in a text: those are run as processes, or imported by TFX. The Jinja templates of such a
    package count, by their paths. Imports for type checkers alone do not count. Nothing is imported, only parsed.

    Raises:
        ModuleNotFoundError: If there is no such module.
    """
    packages = {*PACKAGES, *(module.partition(".")[0] for module in modules)}
    for module in modules:
        if _path(module, project, packages) is None:
            raise ModuleNotFoundError(f"A fingerprint needs a module of the project. Received: module={module!r}")
    sources: dict[str, bytes] = {}
    pending = [*modules]
    while pending:
        name = pending.pop()
        path = _path(name, project, packages)
        if name in sources or path is None:  # what a module defines, not a module
            continue
        sources[name] = path.read_bytes()
        sources |= _templates(path, project)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        pending.extend([*_parents(name), *_imported(sources[name], package)])
    return sources


def _path(module: str, project: Path, packages: Collection[str]) -> Path | None:
    """Returns the file of a module or a package of the project, in one of `packages`."""
    if module.partition(".")[0] not in packages:
        return None
    stem = project.joinpath(*module.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _templates(path: Path, project: Path) -> dict[str, bytes]:
    """Returns the templates of a package by their paths in the project; none for a module."""
    files = (path.parent / TEMPLATES).rglob("*.j2") if path.name == "__init__.py" else ()
    return {file.relative_to(project).as_posix(): file.read_bytes() for file in files}


def _parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


@cache
def _imported(source: bytes, package: str) -> frozenset[str]:
    """Returns all that may name a module: of ``from a.b import c``, both ``a.b`` and ``a.b.c``."""
    return frozenset(name for node in _executed(ast.parse(source)) for name in _names(node, package))


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields every node but those below ``if TYPE_CHECKING``."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        below = node.orelse if isinstance(node, ast.If) and _is_for_type_checkers(node.test) else None
        pending.extend(ast.iter_child_nodes(node) if below is None else below)


def _is_for_type_checkers(test: ast.expr) -> bool:
    return isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test).endswith("TYPE_CHECKING")


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, package)
        yield from (module, *(f"{module}.{alias.name}" for alias in node.names))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _MODULE_NAME.fullmatch(node.value):
        yield node.value


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """Returns the name of the module that an import names, which may be relative to its package."""
    base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    return ".".join([*base, *([node.module] if node.module else [])])
