"""Settings of a preparation: what `python -m data.prepare` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from data.conversations import Turns
from data.sources.items import ReadSettings


@dataclass(frozen=True)
class PrepareSettings:
    """Everything that decides what the rows become.

    Attributes:
        sources: addresses, in order.
        licenses: none, one for all sources, or one for each; the Hub's identifiers.
        datasets: the sources' names on the Hub.
        columns: column by field; empty to recognise the schema.
        group: column of a group that must not be in two splits; empty without one.
        turns: what becomes of a conversation with several turns.
        keep: rules of `data.cleaning.rules` that are not asked.
        input_markers: blank empties an input that only says "noinput", keep leaves it.
        scrub: whether personal data and secrets are replaced.
        languages: codes of the languages to keep; empty keeps all.
        tokenizer: folder of the tokenizer that counts tokens; empty counts none.
        min_tokens: rows with fewer go, tokens.
        max_tokens: rows with more go, tokens; 0 for any number.
        deduplicate: exact removes rows that are the same but for case and white space, near those that nearly are too,
            none keeps all.
        similarity: share of words from which two texts are near-duplicates, 0 to 1.
        decontaminate: addresses of evaluation prompts.
        ngram: words in a row that a row and an evaluation prompt must not share.
        eval_percent: share of the prompts in eval, above 0 and below 100, %.
        seed: another draws another split.
        shards: train files at most.
        max_malformed: share of malformed records above which the run fails, 0 to 1.
        read: how sources are read.
    """

    sources: tuple[str, ...]
    licenses: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    group: str = ""
    turns: Turns = "drop"
    keep: tuple[str, ...] = ()
    input_markers: str = "blank"
    scrub: bool = False
    languages: tuple[str, ...] = ()
    tokenizer: str = ""
    min_tokens: int = 0
    max_tokens: int = 0
    deduplicate: str = "near"
    similarity: float = 0.7
    decontaminate: tuple[str, ...] = ()
    ngram: int = 10
    eval_percent: float = 5.0
    seed: int = 0
    shards: int = 8
    max_malformed: float = 0.01
    read: ReadSettings = field(default_factory=ReadSettings)

    def as_dict(self) -> dict[str, Any]:
        """Returns plain data, as :meth:`of` takes it."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> PrepareSettings:
        """Returns the settings that :meth:`as_dict` gave, also if JSON made lists of tuples."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain | {"read": ReadSettings(**values["read"])})

    def told(self) -> dict[str, Any]:
        """Returns what the report says of them: what decides about the rows, no address and no folder."""
        hidden = ("sources", "licenses", "datasets", "tokenizer", "decontaminate", "read")
        return {name: value for name, value in self.as_dict().items() if name not in hidden} | {
            "separator": self.read.separator,
            "decontaminate": len(self.decontaminate),
        }
