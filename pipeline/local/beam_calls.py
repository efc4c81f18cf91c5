"""Answers that Beam works out thousands of times while it builds the pipelines of a run, worked out once.

For each transform it asks for the same options, of which it builds a whole argument parser every time, and for the
arguments of each of its function object's methods. Together that was a fifth of what a small run computes in its own
process. The answers are the same objects' as without this, from the same code; tests/pipeline/test_beam_calls.py
compares them.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core

Arguments = tuple[list[str], list[Any]]


def remember_beam_calls() -> None:
    """Lets Beam remember them from now on, in this process; a second call changes nothing."""
    if not hasattr(PipelineOptions.view_as, "__wrapped__"):
        PipelineOptions.view_as = remembering_views(PipelineOptions.view_as)
        core.get_function_args_defaults = remembering_arguments(core.get_function_args_defaults)


def remembering_views(view_as: Callable[[Any, type[Any]], Any]) -> Callable[[Any, type[Any]], Any]:
    """Returns ``PipelineOptions.view_as`` that parses the same flags for the same class once.

    The first view of an object's options fills in what is missing among them; a further one has the same names, and
    reads and writes the values that all views share.
    """
    parsed: dict[tuple[type[Any], tuple[str, ...]], Any] = {}

    def view_of(self: Any, cls: type[Any]) -> Any:
        flags = self._flags
        known = None if flags is None else parsed.get((cls, tuple(flags)))
        if known is None or not vars(known).keys() <= self._all_options.keys():
            view = view_as(self, cls)
            if flags is not None:
                parsed[cls, tuple(flags)] = view._visible_options
            return view
        other: Any = object.__new__(cls)
        other._flags, other._visible_options, other._all_options = flags, known, self._all_options
        return other

    view_of.__wrapped__ = view_as  # type: ignore[attr-defined]
    return view_of


def remembering_arguments(get_arguments: Callable[[Any], Arguments]) -> Callable[[Any], Arguments]:
    """Returns ``get_function_args_defaults`` that looks at the signature of each method's function once.

    What a method is bound to makes no difference to the names and defaults of its other arguments.
    """
    known: WeakKeyDictionary[Any, Arguments] = WeakKeyDictionary()

    def arguments_of(function: Any) -> Arguments:
        if not (isinstance(function, types.MethodType) and isinstance(function.__func__, types.FunctionType)):
            return get_arguments(function)
        found = known.get(function.__func__)
        if found is None:
            found = known[function.__func__] = get_arguments(function)
        names, defaults = found
        return list(names), list(defaults)

    arguments_of.__wrapped__ = get_arguments  # type: ignore[attr-defined]
    return arguments_of
