"""Callbacks that a run is given by name, ``package.module:ClassName``; checking the names imports no Keras."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.registry import load

if TYPE_CHECKING:
    import keras


SETTING = "training.callbacks"


class CallbackError(ValueError):
    """A callback that was named cannot be used."""

    user_message = True


def name_problems(names: Iterable[str]) -> Iterator[str]:
    """Yields what is wrong with names of callbacks, as far as that can be told without importing their modules."""
    for name in names:
        module, _, attribute = name.partition(":")
        spec = _spec(module)
        if spec is None:
            yield (
                f"{SETTING}: there is no such module. Received: {name!r}. Write package.module:ClassName, "
                "of a module that can be imported from this project's folder or is installed."
            )
        elif not _may_define(spec, attribute):
            yield (
                f"{SETTING}: the module has no such class. Received: {name!r}; {spec.origin} defines no "
                f"{attribute}. Name one that it defines or imports."
            )


def load_callbacks(names: Sequence[str]) -> list[keras.callbacks.Callback]:
    """Returns a new callback for each name.

    Raises:
        RegistryError: If there is no such class.
        CallbackError: If it is no Keras callback, or cannot be made without arguments.
    """
    return [_load(name) for name in names]


def _load(name: str) -> keras.callbacks.Callback:
    import keras

    named = load(name, setting=SETTING)
    try:
        made: Any = named()
    except TypeError as error:
        raise CallbackError(
            f"{SETTING} must name classes that can be made without arguments. Received: {name!r}; {error}. "
            "Derive one from it that gives the arguments."
        ) from error
    if not isinstance(made, keras.callbacks.Callback):
        raise CallbackError(
            f"{SETTING} must name Keras callbacks. Received: {name!r}, which makes a {type(made).__name__}. "
            "Derive the class from keras.callbacks.Callback."
        )
    return made


def _spec(module: str) -> ModuleSpec | None:
    """Returns where a module lies; unlike Python's own, imports no package on the way."""
    top, *inner = module.split(".")
    spec = find_spec(top)
    name = top
    for part in inner:
        name = f"{name}.{part}"
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(name, spec.submodule_search_locations)
    return spec


def _may_define(spec: ModuleSpec, attribute: str) -> bool:
    """Returns whether a module's source gives `attribute` a meaning, or does not tell."""
    if spec.origin is None or not spec.origin.endswith(".py"):
        return True
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    names = {name for node in ast.walk(tree) for name in _defined(node)}
    return attribute in names or "*" in names


def _defined(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    return [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []
