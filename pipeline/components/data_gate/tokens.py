"""Counts the tokens of the train rows as the Trainer will, and the rows that it would drop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import tee
from pathlib import Path
from typing import NamedTuple

from data.tfrecords import Row, decode
from modules.models.families import find_family
from modules.models.family import ModelFamily
from modules.models.gpt2.tokenizer import encode_rows
from modules.models.initial_tokenizer import initial_tokenizer
from modules.prompts import AUTO, PromptFormat, find_format
from modules.prompts.format import escape_end_tokens
from modules.settings.model import DEFAULT_FAMILY
from modules.settings.training import Overlong
from modules.training.dropped import RowLengths, needed_length, too_many
from pipeline.components.data_gate.anomalies import Anomaly
from pipeline.components.data_gate.checks import excerpt
from pipeline.components.data_gate.record import TokenCounts
from pipeline.components.data_gate.survey import Finding


@dataclass(frozen=True)
class TokenLimits:
    """The length of a training row, the tokenizer that cuts it, and how many rows may be too long for it.

    Attributes:
        sequence_length: of a training row, in tokens.
        overlong: what the Trainer does with a row that is longer.
        dropped: share of the train rows that may be dropped, 0 to 1.
        preset: what training starts from, a preset's name or a folder; None from scratch.
        tokenizer_path: folder of the tokenizer for a model from scratch; None to train one on the rows.
        vocabulary_size: of a tokenizer to train, in tokens.
        context: the longest training row that the model can take, in tokens; None where only its files tell.
        given: a hash of the files of `preset` or `tokenizer_path`, for TFX's cache key.
        prompt_format: how instructions become prompts, as ``data.prompt_format`` says.
        family: of the model, as ``model.family`` says.
    """

    sequence_length: int
    overlong: Overlong
    dropped: float
    preset: str | None
    tokenizer_path: str | None
    vocabulary_size: int
    context: int | None
    given: str = ""
    prompt_format: str = AUTO
    family: str = DEFAULT_FAMILY


class Formatted(NamedTuple):
    """A train row as the Trainer reads it, and the record that it came from."""

    record: bytes
    prompt: str
    response: str


@dataclass(frozen=True)
class TokenSurvey:
    """Counted tokens and dropped rows.

    Attributes:
        limits: what was counted against.
        lengths: the sequence lengths that the rows need.
        dropped: rows that need a longer one than there is.
        context: as in the limits, or as the model's files tell; None where that is not known.
    """

    limits: TokenLimits
    lengths: RowLengths
    dropped: Finding
    context: int | None

    @property
    def share(self) -> float:
        """Returns the share of the train rows, 0 to 1, that the Trainer would drop."""
        return 1 - self.lengths.kept(self.limits.sequence_length)

    def anomaly(self) -> Anomaly | None:
        """Returns what is unusual: more rows would be dropped than may be."""
        rows, allowed = self.lengths.rows, self.limits.dropped
        if not too_many(dropped=self.dropped.rows, read=rows, allowed=allowed):
            return None
        too_long = "are" if self.limits.overlong == "drop" else "have a response"
        words = (
            f"{self.dropped.rows:,} of {rows:,} train rows ({self.share:.1%}) {too_long} longer than "
            f"training.sequence_length={self.limits.sequence_length} tokens and would be dropped; "
            f"at most {allowed:.1%} may"
        )
        return Anomaly("dropped", words, tuple(self.dropped.examples), self._way_out())

    def counts(self) -> TokenCounts:
        """Returns what the record keeps of it."""
        return TokenCounts(
            sequence_length=self.limits.sequence_length,
            rows=self.lengths.rows,
            dropped=self.dropped.rows,
            longest=self.lengths.longest,
        )

    def _way_out(self) -> str:
        others = ["raise data.max_dropped"]
        if self.limits.overlong == "drop":
            others.insert(0, "set training.overlong to truncate_prompt")
        return ", ".join([self._longer_rows(), *others])

    def _longer_rows(self) -> str:
        """Returns the smallest sequence length that keeps enough rows, and the settings for it."""
        length, scratch = self.lengths.smallest_length(allowed=self.limits.dropped), self.limits.preset is None
        if self.context is None or length <= self.context:
            return f"{self._kept(length)}: set training.sequence_length to {length}"
        if scratch:
            return f"{self._kept(length)}: set training.sequence_length and model.max_sequence_length to {length}"
        return (
            f"{self._kept(length)}, but {self.limits.preset} has a context of {self.context:,}, which keeps "
            f"{self.lengths.kept(self.context):.1%}: shorten the rows"
        )

    def _kept(self, length: int) -> str:
        kept = self.lengths.kept(length)
        every = "" if length == self.lengths.longest else f", {self.lengths.longest:,} all"
        return f"{length:,} tokens keep {kept:.1%} of the rows{every}"


def survey_tokens(records: Callable[[], Iterable[bytes]], limits: TokenLimits, *, model: str | None) -> TokenSurvey:
    """Counts the tokens of the train rows; reads them once, and once before if a tokenizer is trained on them.

    Holds a few thousand rows at a time.

    Args:
        records: gives the serialized examples of the train split, from the start each time.
        limits: what to count with.
        model: folder of the model that training starts from, in place of ``limits.preset``; None for that one.

    Raises:
        PresetError: If a preset's tokenizer cannot be downloaded.
        CheckpointError: If the initial model's folder holds no model.
        TokenizerError: If a tokenizer's files are absent or malformed.
    """
    initial_model, prompt_format = model or limits.preset, find_format(limits.prompt_format, kind="instructions")
    family = find_family(limits.family)
    tokenizer = initial_tokenizer(
        family,
        _texts(_formatted(records(), prompt_format)),
        model=initial_model,
        tokenizer_path=limits.tokenizer_path,
        vocabulary_size=limits.vocabulary_size,
    )
    lengths, dropped = RowLengths(), Finding()
    rows, again = tee(_formatted(records(), prompt_format))
    encoded = encode_rows(((row.prompt, row.response) for row in again), tokenizer)
    for row, (prompt_ids, response_ids) in zip(rows, encoded, strict=True):
        needed = needed_length(len(prompt_ids), len(response_ids), limits.overlong)
        lengths.counts[needed] += 1
        if needed > limits.sequence_length:
            dropped.add(partial(_quoted, row.record, len(prompt_ids) + len(response_ids)))
    return TokenSurvey(limits, lengths, dropped, limits.context or _context(family, initial_model))


def _formatted(records: Iterable[bytes], prompt_format: PromptFormat) -> Iterator[Formatted]:
    """Yields the rows that can be read, as Transform makes them; the others stop the run anyway."""
    for record in records:
        row = decode(record)
        if isinstance(row, Row):
            yield Formatted(record, prompt_format.format(row.instruction, row.input), escape_end_tokens(row.output))


def _texts(rows: Iterable[Formatted]) -> Iterator[str]:
    for row in rows:
        yield from (row.prompt, row.response)


def _quoted(record: bytes, tokens: int) -> str:
    return f"{excerpt(record)} ({tokens:,} tokens)"


def _context(family: ModelFamily, initial_model: str | None) -> int | None:
    """Returns the context, in tokens, of the model in a folder; None of a preset that is not one."""
    if initial_model is None or "://" in initial_model or not Path(initial_model).is_dir():
        return None
    return family.read_sizes(Path(initial_model)).max_sequence_length
