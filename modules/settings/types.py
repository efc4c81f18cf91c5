"""Types of setting values, and how flags and environment variables write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def none_from_word(value: Any) -> Any:
    """Returns None for the word `none`, which stands for it in flags and environment variables."""
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def split_items(value: Any, split: Callable[[str], list[str]]) -> Any:
    """Returns the items of a list that flags and environment variables hold as one text; `none` for an empty one."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        return value
    return tuple(item for text in texts if text.strip().lower() != "none" for item in split(text))


def split_words(value: Any) -> Any:
    """Returns the words of a list that is one text, apart by commas or white space."""
    return split_items(value, lambda text: text.replace(",", " ").split())


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
OptionalText = Annotated[Text | None, BeforeValidator(none_from_word)]
OptionalCount = Annotated[Annotated[int, Field(ge=1)] | None, BeforeValidator(none_from_word)]
Words = Annotated[tuple[Text, ...], BeforeValidator(split_words)]
Counts = Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], BeforeValidator(split_words)]
