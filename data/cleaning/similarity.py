"""Near-duplicates: texts that say the same in nearly the same words, and those that only look so. Pure functions.

Two texts are near-duplicates if they share most of the words that carry meaning (Jaccard similarity of the sets), all
numbers and negations, and if neither has a name or a quoted word where the other has another. "Add 3 and 4" and "Add 3
and 5" share two words of three, and "Paris" for "Berlin" may be one word of a hundred; neither is a repetition.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from data.extra import require
from data.tfrecords import Row

PERMUTATIONS = 64
ROWS_PER_BAND = 4  # 16 bands: a pair with 0.7 of its words in common meets in one of them with 98.8 %, with 0.8 always
BANDS = PERMUTATIONS // ROWS_PER_BAND
_SEED = 42
_LONG_WORDS = 250  # a longer text may differ in a fact, and still repeat another
# Of so many words that carry meaning all must be the same, and of so many one may be missing, but none another.
_SHORT_WORDS, _MEDIUM_WORDS = 4, 10
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_QUOTED = re.compile(r"[\"“”„«»`]([^\"“”„«»`\n]{1,60})[\"“”„«»`]")
_SENTENCE_END = re.compile(r"[.!?:;\n\"“”()\[\]•*-]\s*$")
_NEGATING = """
not no never none nothing neither nor without cannot can't don't doesn't didn't isn't aren't wasn't won't
"""
_NEGATIONS = frozenset(_NEGATING.split())
# Words that frame a request or hold a sentence together: a text without them still says the same.
_FRAMING = """
a an the this that these those of in on at to from for with by as is are was were be been being am do does did
have has had and or but if then than so it its i you he she we they me my your his her our us their them there
here i'd i'm it's what's please kindly could can would will shall might should must let lets let's want
need like thank thanks hello hi hey okay ok give tell show provide write answer respond following below above
just very really some any also about into when which who whom how what where why
"""
_FRAME = frozenset(_FRAMING.split())


class Content(NamedTuple):
    """A text as what it says."""

    words: frozenset[str]  # those that carry meaning
    facts: tuple[str, ...]  # numbers and negations, as they follow each other
    marked: frozenset[str]  # names and quoted words, of those
    length: int  # words of all kinds
    has_cases: bool  # not all in capitals, nor all in small letters


def signatures(rows: Sequence[Row]) -> np.ndarray:
    """Returns the hash of each band of each row's MinHash: uint64 [N, BANDS]. Rows that share one may be alike."""
    minhash = require("rensa", "find near-duplicates").RMinHash
    sets = [sorted(_asked(row)) for row in rows]
    digests = np.array(minhash.digests_from_token_sets(sets, PERMUTATIONS, _SEED), dtype=np.uint64)  # [N, PERMUTATIONS]
    bands = digests.reshape(len(rows), BANDS, ROWS_PER_BAND)
    hashes = np.zeros((len(rows), BANDS), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in range(ROWS_PER_BAND):
            hashes = (hashes ^ bands[:, :, column]) * np.uint64(0x9E3779B97F4A7C15)
            hashes ^= hashes >> np.uint64(29)
    return hashes


def are_alike(one: Row, other: Row, threshold: float) -> bool:
    """Returns whether two rows repeat each other: what they ask, and what they answer."""
    return ask_alike(one, other, threshold) and texts_alike(one.output, other.output, threshold)


def ask_alike(one: Row, other: Row, threshold: float) -> bool:
    """Returns whether two rows ask the same; documents ask nothing, and are compared by their text."""
    if not any(one[:2]) and not any(other[:2]):
        return texts_alike(one.output, other.output, threshold)
    return texts_alike(one.instruction, other.instruction, threshold) and texts_alike(one.input, other.input, threshold)


def texts_alike(one: str, other: str, threshold: float) -> bool:
    """Returns whether two texts say the same.

    Args:
        one: a text.
        other: another.
        threshold: share of the words of both that both must have, 0 to 1.
    """
    if one == other:
        return True
    first, second = content_of(one), content_of(other)
    common = len(first.words & second.words)
    both = len(first.words | second.words)
    if min(first.length, second.length) <= _LONG_WORDS and _tell_apart(first, second):
        return False
    fewer = min(len(first.words), len(second.words))
    if fewer <= _SHORT_WORDS:
        return first.words == second.words
    if fewer <= _MEDIUM_WORDS and first.words - second.words and second.words - first.words:
        return False
    return common >= threshold * both


def _tell_apart(first: Content, second: Content) -> bool:
    """Returns whether a number, a negation or a name makes two texts different whatever else they share."""
    if first.facts != second.facts:
        return True
    # Case and quotes may be lost on the way, so a marked word counts only if the other text has another in its place:
    # a marked one too, or any where the text is all in one case.
    one, other = first.words - second.words, second.words - first.words
    is_marked = bool(one & first.marked), bool(other & second.marked)
    may_be = is_marked[0] or bool(one and not first.has_cases), is_marked[1] or bool(other and not second.has_cases)
    return any(is_marked) and all(may_be)


@lru_cache(maxsize=4_000)
def content_of(text: str) -> Content:
    """Returns what a text says: its words, and the facts among them."""
    words, facts, marked = set[str](), list[str](), set[str]()
    length, end = 0, 0
    has_cases = not (text.isupper() or text.islower())
    is_spaced = text.isascii() or not _UNSPACED.search(text)
    for match in _WORD.finditer(text):
        word = match.group()
        length += 1
        plain = word.casefold().replace(",", "")
        if plain[0].isdigit():
            facts.append(plain)
        elif plain in _NEGATIONS:
            facts.append("not")
        elif has_cases and end and word[0].isupper() and not _SENTENCE_END.search(text[end - 1 : match.start()]):
            marked.add(plain)
        end = match.end()
        if is_spaced:
            words.add(plain)
        else:
            words.update(_pieces(plain))
    for quoted in _QUOTED.findall(text):
        marked.update(word.casefold() for word in _WORD.findall(quoted))
    meant = words - _FRAME
    return Content(frozenset(meant or words), tuple(facts), frozenset(marked), length, has_cases)


def _asked(row: Row) -> frozenset[str]:
    """Returns the words that a row is hashed by: those of what it asks, or of a document."""
    asked = f"{row.instruction}\n{row.input}" if row.instruction or row.input else row.output
    content = content_of(asked)
    return content.words.union(content.facts)


def _pieces(word: str) -> Iterator[str]:
    """Yields a word as it is, or, of a script without spaces, its pairs of characters."""
    if len(word) > 1 and _UNSPACED.search(word):
        yield from (word[start : start + 2] for start in range(len(word) - 1))
    else:
        yield word
