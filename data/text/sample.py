"""`python -m data.text.sample`: write sample.txt, short documents that state the facts of the sample rows.

A model pre-trained on them has met what the rows of data/sample ask for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data.sample import facts

SAMPLE = Path(__file__).with_name("sample.txt")

# Facts of one kind, and the documents that state one of them; blank lines part documents.
_DOCUMENTS: tuple[tuple[Mapping[Any, str], tuple[str, ...]], ...] = (
    (
        facts.CAPITALS,
        (
            "{x} is a country, and {y} is its capital. Whoever wants to see the capital of {x} travels to {y}.",
            "The capital of {x} is {y}. The government of {x} sits in the city of {y}.",
        ),
    ),
    (
        facts.SYMBOLS,
        ("Every chemical element has a symbol. The symbol of {x} is {y}, so chemists write {y} where they mean {x}.",),
    ),
    (facts.PARTS_OF_SPEECH, ('The word "{x}" is a {y}. Dictionaries mark it so: {x}, {y}.',)),
    (facts.OPPOSITES, ('The opposite of "{x}" is "{y}", and the opposite of "{y}" is "{x}".',)),
    (facts.PLURALS, ("We say one {x}, but two {y}. The plural of {x} is {y}.",)),
    (facts.PAST_TENSES, ("Today they {x}; yesterday they {y}. The past tense of {x} is {y}.",)),
    (facts.YOUNG_ANIMALS, ("A young {x} is called a {y}. When it has grown up, the {y} is a {x}.",)),
    (facts.COLORS, ("What color is {x}? It is {y}. Everybody knows the {y} color of {x}.",)),
    (facts.CATEGORIES, ("Among animals, fruit, clothing and instruments, {x} belongs to one: {y}.",)),
    (facts.DAYS_AFTER, ("The day after {x} is {y}. When {x} ends, {y} begins; the day before {y} is {x}.",)),
    (facts.MONTHS_AFTER, ("The month after {x} is {y}. When {x} ends, {y} begins; the month before {y} is {x}.",)),
    (facts.SUMS, ("{a} plus {b} is {y}: {a} + {b} = {y}.",)),
    (facts.DIFFERENCES, ("{a} minus {b} is {y}: {a} - {b} = {y}.",)),
    (facts.PRODUCTS, ("{a} times {b} is {y}: {a} x {b} = {y}.",)),
)


def documents() -> Iterator[str]:
    """Yields every document, in the order of the file."""
    for table, forms in _DOCUMENTS:
        for key, value in table.items():
            slots = {"x": key} if isinstance(key, str) else {"a": str(key[0]), "b": str(key[1])}
            yield from (form.format(**slots, y=value) for form in forms)


def main() -> int:
    SAMPLE.write_text("\n\n".join(documents()) + "\n", encoding="utf-8")
    sys.stdout.write(f"{SAMPLE.name}: {len(list(documents()))} documents, {SAMPLE.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
