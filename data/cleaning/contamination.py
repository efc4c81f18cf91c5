"""Rows that hold an evaluation prompt: runs of words (n-grams) that both have. Pure functions."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from data.cleaning.rules import Finding
from data.tfrecords import Row

REASON = "overlaps an evaluation prompt"
_WORD = re.compile(r"\w+")
_MIN_WORDS = 4  # of a prompt: a shorter one is part of too many texts


@dataclass(frozen=True)
class Prompts:
    """Evaluation prompts as sets of n-grams.

    Attributes:
        texts: the prompts.
        grams: by number of words, and by the words, which prompt they are of.
    """

    texts: tuple[str, ...]
    grams: Mapping[int, Mapping[tuple[str, ...], int]]


def prepared(texts: Iterable[str], words: int) -> Prompts:
    """Returns evaluation prompts, ready to be compared.

    Args:
        texts: the prompts. Of one with fewer than `words` words all are one n-gram, from four words on.
        words: of an n-gram, at least 4.
    """
    grams: defaultdict[int, dict[tuple[str, ...], int]] = defaultdict(dict)
    kept = tuple(texts)
    for index, text in enumerate(kept):
        found = words_of(text)
        size = min(words, len(found))
        if size >= _MIN_WORDS:
            for gram in _grams(found, size):
                grams[size].setdefault(gram, index)
    return Prompts(kept, dict(grams))


def overlap(row: Row, prompts: Prompts) -> Finding | None:
    """Returns a finding with the words that `row` shares with an evaluation prompt; None if there are none."""
    words = words_of(" ".join(row))
    for size, known in prompts.grams.items():
        for gram in _grams(words, size):
            if (index := known.get(gram)) is not None:
                return Finding(REASON, f"“{' '.join(gram)}” of “{prompts.texts[index][:120]}”")
    return None


def words_of(text: str) -> list[str]:
    """Returns the words of a text, without case and punctuation."""
    return _WORD.findall(text.casefold())


def _grams(words: Sequence[str], size: int) -> Iterable[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(size)), strict=False)
