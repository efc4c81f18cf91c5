"""Names in settings for what can be added to: built-in ones, and references to objects in modules of the user's own.

A reference is written ``package.module:OBJECT``, and the module must be importable wherever the setting is read: here,
and in a container that runs a component. The same spelling serves prompt formats, exported forms, model families and
training callbacks.
"""

from __future__ import annotations

import difflib
import pkgutil
import re
from collections.abc import Mapping
from typing import Any, TypeVar

Entry = TypeVar("Entry")
_REFERENCE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<object>[A-Za-z_]\w*)")


class RegistryError(ValueError):
    """A setting names nothing that is built in, and refers to nothing that can be imported."""

    user_message = True


def is_reference(name: str) -> bool:
    """Returns whether `name` refers to an object in a module, as ``package.module:OBJECT``."""
    return _REFERENCE.fullmatch(name) is not None


def find(name: str, builtin: Mapping[str, Entry], *, entry_type: type[Entry], setting: str) -> Entry:
    """Returns the entry that a setting names.

    Args:
        name: a key of `builtin`, or a reference.
        builtin: what the project brings, by name.
        entry_type: the type of an entry.
        setting: called so in errors, such as ``data.prompt_format``.

    Raises:
        RegistryError: If there is no such name, the module cannot be imported, or its object is of another type.
    """
    if name in builtin:
        return builtin[name]
    if not is_reference(name):
        close = difflib.get_close_matches(name, builtin, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise RegistryError(
            f"{setting} takes {', '.join(builtin)}, or package.module:OBJECT for one of your own. "
            f"Received: {name!r}.{hint}"
        )
    found = load(name, setting=setting)
    if not isinstance(found, entry_type):
        raise RegistryError(
            f"{setting} must name a {entry_type.__module__}.{entry_type.__qualname__}. "
            f"Received: {name!r}, a {type(found).__qualname__}."
        )
    return found


def load(reference: str, *, setting: str) -> Any:
    """Returns the object that a reference means.

    Raises:
        RegistryError: If the module cannot be imported or has no such object.
    """
    try:
        return pkgutil.resolve_name(reference)
    except (ImportError, AttributeError) as error:
        raise RegistryError(
            f"{setting} must name an object that can be imported. Received: {reference!r}; {error}. "
            "Put the module's folder on PYTHONPATH, here and in the container image, or mend the name."
        ) from error
