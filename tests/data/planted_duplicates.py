"""Rows with planted near-duplicates and near-misses, and which pairs are duplicates."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from data.tfrecords import Row

FRAMES = (
    "{}",
    "Please {}",
    "Could you please {}",
    "Hello, I would like you to {}",
    "Can you {} Thanks!",
    "I need you to {}",
)
_NUMBERS = range(3, 400)
_PEOPLE = "Anna Bernard Clara Dmitri Elena Farid Greta Hiro Ines Jakob Karim Lena Marco Nadia Omar Paula"
_OBJECTS = """
bicycle violin teapot lantern microscope umbrella suitcase telescope piano wardrobe kettle ladder canoe hammock compass
typewriter accordion blender projector saddle greenhouse chimney fountain tractor lighthouse
"""
_NAMES, _THINGS = _PEOPLE.split(), _OBJECTS.split()
_PLACES = (
    "the old harbour market",
    "a mountain village school",
    "the northern railway museum",
    "a small island library",
    "the river valley theatre",
    "an underground train station",
    "the botanical garden café",
    "a windy coastal airport",
)
_TASKS = (
    "describe how {name} repaired {number} broken {thing} parts at {place} during winter",
    "explain why {name} sold the antique {thing} for {number} coins near {place} last autumn",
    "summarize the story in which {name} carried a heavy {thing} across {place} within {number} minutes",
    "list the tools that {name} used to clean the rusty {thing} found behind {place} after {number} years",
    "compare the painted {thing} of {name} with {number} similar models shown inside {place} every spring",
)
_ANSWERS = (
    "{name} began early, examined the {thing} carefully, replaced {number} worn pieces and finally tested everything "
    "together with two curious neighbours from {place}, who applauded loudly.",
    "According to the local newspaper, {name} arranged {number} meetings about the {thing}, collected several written "
    "opinions around {place} and decided quickly afterwards.",
)


class Planted(NamedTuple):
    """Rows, and the original of each that is a duplicate: position by position."""

    rows: list[Row]
    original: dict[int, int]
    near_misses: int


def plant(count: int, seed: int = 0) -> Planted:
    """Returns `count` different rows, about as many near-duplicates of them, and half as many near-misses."""
    chooser = random.Random(seed)
    rows: list[Row] = []
    original: dict[int, int] = {}
    misses = 0
    for _ in range(count):
        slots = _slots(chooser)
        task, answer = chooser.choice(_TASKS), chooser.choice(_ANSWERS)
        rows.append(_row(task, answer, slots))
        base = len(rows) - 1
        if chooser.random() < 0.7:
            for change in chooser.sample(CHANGES, chooser.choice((1, 2))):
                original[len(rows)] = base
                rows.append(change(rows[base], chooser))
        if chooser.random() < 0.5:
            rows.append(_near_miss(task, answer, slots, chooser))
            misses += 1
    return Planted(rows, original, misses)


def _slots(chooser: random.Random) -> dict[str, str]:
    values: dict[str, Sequence[str]] = {
        "name": _NAMES, "thing": _THINGS, "place": _PLACES, "number": list(map(str, _NUMBERS)),
    }  # fmt: skip
    return {name: chooser.choice(choices) for name, choices in values.items()}


def _row(task: str, answer: str, slots: dict[str, str]) -> Row:
    asked = task.format(**slots)
    return Row(asked[0].upper() + asked[1:] + ".", "", answer.format(**slots))


def _near_miss(task: str, answer: str, slots: dict[str, str], chooser: random.Random) -> Row:
    """Returns the row with another number, another name, or a negation: it asks for something else."""
    kind = chooser.choice(("number", "name", "not"))
    if kind == "not":
        row = _row(task, answer, slots)
        return row._replace(instruction=row.instruction.replace(" the ", " not the ", 1).replace(" a ", " not a ", 1))
    others = list(map(str, _NUMBERS)) if kind == "number" else _NAMES
    return _row(task, answer, slots | {kind: chooser.choice([other for other in others if other != slots[kind]])})


def _case(row: Row, chooser: random.Random) -> Row:
    change = chooser.choice((str.lower, str.upper))
    return Row(*(change(text) for text in row))


def _punctuation(row: Row, chooser: random.Random) -> Row:
    end = chooser.choice(("!", "", " .", "..."))
    return Row(row.instruction.replace(".", end), "", row.output.replace(",", " -").replace(".", end))


def _swap(row: Row, chooser: random.Random) -> Row:
    words = row.output.split()
    at = chooser.randrange(2, len(words) - 2)
    words[at], words[at + 1] = words[at + 1], words[at]
    return row._replace(output=" ".join(words))


def _synonym(row: Row, chooser: random.Random) -> Row:
    pairs = [("carefully", "thoroughly"), ("loudly", "warmly"), ("quickly", "swiftly"), ("several", "various")]
    old, new = chooser.choice([pair for pair in pairs if pair[0] in row.output])
    return row._replace(output=row.output.replace(old, new))


def _frame(row: Row, chooser: random.Random) -> Row:
    asked = row.instruction[0].lower() + row.instruction[1:]
    return row._replace(instruction=chooser.choice(FRAMES[1:]).format(asked))


CHANGES: list[Callable[[Row, random.Random], Row]] = [_case, _punctuation, _swap, _synonym, _frame]
