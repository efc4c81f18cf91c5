"""The line of answers that wait to be computed, and who is next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass

from .answer import Answer


@dataclass(frozen=True)
class BatchRule:
    """Limits of a batch.

    CTranslate2 reads the prompts of a batch at once as far as the shortest goes, and the rest of the longer ones a
    token at a step, while the shorter ones are answered already.
    """

    rows: int = 32  # answers in a batch, at most
    spread: int = 48  # tokens by which they may differ in length, at most


class Line:
    """Answers in the order in which they came. Not safe for several threads: the scheduler holds its lock."""

    def __init__(self) -> None:
        self._waiting: list[Answer] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._waiting)

    def add(self, answers: Iterable[Answer]) -> None:
        """Puts answers at the end."""
        self._waiting.extend(answers)

    def drop(self, is_over: Callable[[Answer], bool]) -> list[Answer]:
        """Takes out the answers of which this holds, and returns them."""
        dropped = [answer for answer in self._waiting if is_over(answer)]
        self._waiting = [answer for answer in self._waiting if not is_over(answer)]
        return dropped

    def take_batch(self, rule: BatchRule, *, running: Counter[str], may_seed: bool) -> list[Answer]:
        """Takes out what is computed next, together; nothing if nobody may be computed now.

        First comes the client of whom least is running, then who has waited longest.

        Args:
          rule: limits of the batch.
          running: answers in the making, of each client.
          may_seed: whether a seeded answer, which is computed by itself, may be among them.
        """
        counts = Counter(running)
        left = [answer for answer in self._waiting if may_seed or not answer.decoding.is_seeded]
        batch: list[Answer] = []
        while left and len(batch) < rule.rows:
            answer = min(left, key=lambda each: (counts[each.client], each.waiting_since))
            left.remove(answer)
            if batch and not _fits(answer, batch, rule):
                continue
            batch.append(answer)
            counts[answer.client] += 1
            if answer.decoding.is_seeded:
                break
        chosen = {id(answer) for answer in batch}
        self._waiting = [answer for answer in self._waiting if id(answer) not in chosen]
        return batch


def kind_of(answer: Answer) -> Hashable:
    """Returns what answers in one batch must have in common: CTranslate2 chooses tokens alike for all of them."""
    if answer.decoding.is_seeded:
        return id(answer)
    return tuple(sorted(answer.decoding.options().items()))


def _fits(answer: Answer, batch: list[Answer], rule: BatchRule) -> bool:
    lengths = [each.length for each in (answer, *batch)]
    shortest, longest = min(lengths), max(lengths)
    if shortest == 1 and longest > 1:
        return False  # CTranslate2 would pass over all but the first token of the longer ones
    return kind_of(answer) == kind_of(batch[0]) and longest - shortest <= rule.spread
