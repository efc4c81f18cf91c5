"""Anomalies that the data gate may find, by the names under which the configuration lets them through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# A record that cannot be read, or lacks a text, has no name here: nothing can be trained on it.
NAMES = {
    "schema": "ExampleValidator's: the rows do not satisfy the schema",
    "blank": "rows whose instruction or output is blank",
    "length": "rows with a prompt or response of more characters than allowed",
    "duplicates": "train rows that repeat an earlier one",
    "eval_in_train": "evaluation rows whose prompt is in the train split",
    "skew": "evaluation rows that look unlike the train rows",
    "drift": "train rows that look unlike those of the last accepted run",
    "dropped": "train rows too long for training.sequence_length, which the Trainer would drop",
}
FLAG = "--data.allow-anomalies"


class AnomalyNameError(ValueError):
    """The configuration lets something through that does not exist."""


@dataclass(frozen=True)
class Limits:
    """From where on the rows are unusual; shares and divergences are 0 to 1.

    Attributes:
        prompt_characters: of instruction and input together.
        response_characters: of the output.
        overlong: share of a split's rows that may exceed one of those two.
        duplicates: share of the train rows that may repeat an earlier one.
        eval_in_train: share of the evaluation rows whose prompt may be in the train split.
        skew: how far the evaluation rows may be from the train rows.
        drift: how far the train rows may be from those of the last accepted run.
    """

    prompt_characters: int
    response_characters: int
    overlong: float
    duplicates: float
    eval_in_train: float
    skew: float
    drift: float


@dataclass(frozen=True)
class Anomaly:
    """Something unusual about the rows.

    Attributes:
        name: one of NAMES.
        words: what was found, what is allowed.
        examples: rows that show it.
        way_out: besides letting it through.
    """

    name: str
    words: str
    examples: tuple[str, ...] = ()
    way_out: str = ""

    def __str__(self) -> str:
        shown = f" Such as the row {'; the row '.join(self.examples)}." if self.examples else ""
        way_out = f"{self.way_out}, or let" if self.way_out else "Let"
        return f"{self.name}: {self.words}.{shown} {way_out} it through with {FLAG} {self.name}."


def check_names(names: Iterable[str]) -> None:
    """Refuses names that no anomaly has.

    Raises:
        AnomalyNameError: For the first one.
    """
    for name in names:
        if name not in NAMES:
            raise AnomalyNameError(f"There is no such anomaly. Received: {name!r}. Take one of {', '.join(NAMES)}.")
