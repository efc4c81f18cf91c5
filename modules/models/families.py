"""The families that ``model.family`` may name, and which of them a model in memory is of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from modules import registry
from modules.models.family import ModelFamily
from modules.models.gpt2.family import GPT2

if TYPE_CHECKING:
    from keras_hub.models import Backbone

SETTING = "model.family"
FAMILIES: Mapping[str, ModelFamily] = {GPT2.name: GPT2}
_found: dict[str, ModelFamily] = dict(FAMILIES)  # those of the user's own that were asked for in this process, too


def find_family(name: str) -> ModelFamily:
    """Returns the family that a setting names, or refers to as ``package.module:OBJECT``.

    Raises:
        RegistryError: If there is none of this name.
    """
    # mypy: abstract classes are no `type[...]`.
    _found[name] = registry.find(name, FAMILIES, entry_type=ModelFamily, setting=SETTING)  # type: ignore[type-abstract]
    return _found[name]


def family_of(backbone: Backbone) -> ModelFamily:
    """Returns the family of a model; one of the user's own must have been found by its name before.

    Raises:
        LookupError: If it is of none.
    """
    for family in reversed(_found.values()):
        if family.owns(backbone):
            return family
    raise LookupError(f"A model must be of a known family: {', '.join(_found)}. Received: {type(backbone).__name__}.")
