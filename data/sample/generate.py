"""`python -m data.sample.generate`: write the sample data set's TFRecords.

The rows depend on nothing but the tables beside this file: choices are made by a hash, so every Python gives
the same bytes. Train holds each fact in several phrasings; eval asks the same facts in phrasings that train
does not pair with them, about half of them phrasings that train does not hold at all.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from data.origin import MANIFEST, Origin
from data.sample.tasks import TASKS, Task
from data.tfrecords import Row, write_examples

T = TypeVar("T")

ORIGIN = Origin("cc0-1.0", sources=("gpt2-alpaca-pipeline, data/sample",))
SEED = "gpt2-alpaca-sample-1"
DEFAULT_OUT = Path(__file__).parent / "tfrecords"
_INPUT_SEPARATOR = " | "


class Question(NamedTuple):
    """A fact in a phrasing; what it was made from stays beside the row for tests and tables."""

    task: str
    key: Any
    phrasing: str
    row: Row


def split_questions() -> dict[str, list[Question]]:
    """Returns all questions by split, in the order they are written."""
    train = [question for task in TASKS for question in _train_questions(task)]
    evaluation = [question for task in TASKS for question in _eval_questions(task)]
    return {"train": _shuffled(train), "eval": _shuffled(evaluation)}


def write(out: Path) -> dict[str, int]:
    """Writes one TFRecord file per split below `out`, and dataset.json; returns rows by split."""
    counts = {
        split: write_examples(out / f"sample-{split}-00000-of-00001.tfrecord", (question.row for question in questions))
        for split, questions in split_questions().items()
    }
    (out / MANIFEST).write_text(ORIGIN.render(), encoding="utf-8")
    return counts


def _train_questions(task: Task) -> Iterator[Question]:
    for key in task.facts:
        for phrasing in _trained_phrasings(task, key):
            yield _ask(task, key, phrasing)


def _eval_questions(task: Task) -> Iterator[Question]:
    """Yields different facts while they last, alternating unseen phrasings and trained ones that skip the fact."""
    keys = _ranked(task.facts, task.name, "eval keys")
    for number in range(task.eval_rows):
        key = keys[number % len(keys)]
        skipped = [phrasing for phrasing in task.trained if phrasing not in _trained_phrasings(task, key)]
        candidates = task.unseen if number % 2 == 0 else skipped
        yield _ask(task, key, _ranked(candidates, task.name, key, "eval phrasing")[0])


def _trained_phrasings(task: Task, key: Any) -> list[str]:
    """Returns the phrasings train pairs with `key`: with and without an input in the share the task has of each."""
    ranked = _ranked(task.trained, task.name, key, "train phrasing")
    with_input = [phrasing for phrasing in ranked if _INPUT_SEPARATOR in phrasing]
    without_input = [phrasing for phrasing in ranked if _INPUT_SEPARATOR not in phrasing]
    wanted = round(task.trained_per_fact * len(with_input) / len(ranked))
    return with_input[:wanted] + without_input[: task.trained_per_fact - wanted]


def _ask(task: Task, key: Any, phrasing: str) -> Question:
    slots = {"x": key} if isinstance(key, str) else {"a": str(key[0]), "b": str(key[1])}
    instruction, _, text = phrasing.partition(_INPUT_SEPARATOR)
    row = Row(
        instruction.format(**slots),
        text.format(**slots),
        task.answer.format(**slots, y=task.facts[key]),
    )
    return Question(task.name, key, phrasing, row)


def _ranked(items: Iterable[T], *salt: object) -> list[T]:
    """Returns `items` in an order that looks random, and is the same everywhere."""
    return sorted(items, key=lambda item: hashlib.sha256(repr((SEED, *salt, item)).encode()).digest())


def _shuffled(questions: Sequence[Question]) -> list[Question]:
    return _ranked(questions, "order")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m data.sample.generate", description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder (default: %(default)s)")
    out = parser.parse_args(argv).out
    for split, count in write(out).items():
        sys.stdout.write(f"{split}: {count} rows in {out}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
