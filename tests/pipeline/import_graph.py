"""What the project's files import: at their top and inside functions, absolutely, relatively, and by a literal name."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
IMPORTERS = ("importlib.import_module", "import_module", "__import__")

Graph = Mapping[str, set[str]]  # module → those that it imports


def module_name(path: Path, root: Path = REPOSITORY) -> str:
    """Returns the dotted name of a file; of ``__init__.py`` the package's."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(path: Path, root: Path = REPOSITORY, *, for_type_checkers: bool = True) -> set[str]:
    """Returns all that may name an imported module: of ``from a import b``, both ``a`` and ``a.b``.

    Args:
        path: of a file.
        root: folder that its package lies in.
        for_type_checkers: whether imports below ``if TYPE_CHECKING``, which never run, count too.
    """
    name = module_name(path, root)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {found for node in _nodes(tree, for_type_checkers) for found in _names(node, package)}


def import_graph(paths: Iterable[Path], root: Path = REPOSITORY) -> Graph:
    """Returns which of the files imports which of the others when it runs."""
    modules = {module_name(path, root): path for path in paths}
    return {
        name: {each for each in imported_names(path, root, for_type_checkers=False) if each in modules} - {name}
        for name, path in modules.items()
    }


def import_cycles(graph: Graph) -> list[list[str]]:
    """Returns a way around for every module that imports itself by way of others, each cycle once."""
    cycles: dict[frozenset[str], list[str]] = {}
    for start in sorted(graph):
        found = _way_back(graph, start)
        if found:
            cycles.setdefault(frozenset(found), [*found, found[0]])
    return list(cycles.values())


def _way_back(graph: Graph, start: str) -> list[str] | None:
    """Returns the shortest way from `start` to a module that imports `start`."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        if start in graph[way[-1]]:
            return way
        following = sorted(graph[way[-1]] - seen)
        seen.update(following)
        ways += [[*way, name] for name in following]
    return None


def _nodes(tree: ast.AST, for_type_checkers: bool) -> Iterator[ast.AST]:
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not for_type_checkers:
            pending.extend(node.orelse)
        else:
            pending.extend(ast.iter_child_nodes(node))


def _names(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = _absolute(node, package)
        yield from (module, *(f"{module}.{alias.name}" for alias in node.names))
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTERS:
        yield from (each.value for each in node.args[:1] if isinstance(each, ast.Constant))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
    return ".".join([*above, *([node.module] if node.module else [])])
