"""From prompts and responses to training batches: tokenise, mask, pack. NumPy only, any Keras backend.

An example of n tokens (prompt, response, end token) gives n - 1 inputs and n - 1 targets, each target the
token after its input. Only targets inside the response, its end token included, are supervised.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import keras
import numpy as np
from tokenizers import Tokenizer

from modules.losses import CHUNK_TOKENS
from modules.tokenizer import end_token_id

Overlong = Literal["drop", "truncate_prompt"]
Packing = Literal["best_fit", "none"]

TOKENIZE_CHUNK_ROWS = 4096
# Supervised slots per batch are whole chunks of the loss, or a multiple of this inside a single one.
SLOT_MULTIPLE = 8


class DatasetError(ValueError):
    """The rows cannot be trained on."""

    user_message = True


@dataclass(frozen=True)
class TokenizedExamples:
    """Token ids of all examples, end to end.

    Attributes:
        token_ids: int32 [tokens].
        offsets: int64 [rows + 1]; example i is ``token_ids[offsets[i]:offsets[i + 1]]``.
        prompt_lengths: int32 [rows], in tokens.
        rows_read: rows given, kept or not.
        rows_dropped: rows left out because they do not fit.
        rows_truncated: rows whose prompt lost tokens at its start.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    prompt_lengths: np.ndarray
    rows_read: int
    rows_dropped: int
    rows_truncated: int

    @property
    def rows(self) -> int:
        return len(self.prompt_lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Inputs per example: its tokens less one; int64 [rows]."""
        return np.diff(self.offsets) - 1

    @property
    def supervised_lengths(self) -> np.ndarray:
        """Supervised targets per example: the response and its end token; int64 [rows]."""
        return self.lengths - self.prompt_lengths + 1


def tokenize_examples(
    prompts: Sequence[str],
    responses: Sequence[str],
    tokenizer: Tokenizer,
    *,
    sequence_length: int,
    overlong: Overlong = "drop",
) -> TokenizedExamples:
    """Tokenises every row as prompt, response, end token.

    A row of more than `sequence_length` + 1 tokens is dropped, or its prompt loses tokens at the start
    (`overlong`); a response that does not fit with one prompt token before it is dropped either way. The
    response and its end token are never cut.

    Raises:
        DatasetError: If no row is left.
    """
    end_id = end_token_id(tokenizer)
    pieces: list[np.ndarray] = []
    prompt_lengths: list[int] = []
    dropped = truncated = 0
    for prompt_ids, response_ids in _encode(prompts, responses, tokenizer):
        excess = len(prompt_ids) + len(response_ids) - sequence_length  # the end token takes the one to spare
        if excess > 0:
            if overlong == "drop" or excess >= len(prompt_ids):
                dropped += 1
                continue
            prompt_ids = prompt_ids[excess:]
            truncated += 1
        prompt_lengths.append(len(prompt_ids))
        pieces.append(np.array([*prompt_ids, *response_ids, end_id], dtype=np.int32))
    if not pieces:
        raise DatasetError(
            f"Training needs at least one row of at most {sequence_length} tokens. "
            f"Received: {len(prompts)} rows, {dropped} of them longer. Raise training.sequence_length "
            "or set training.overlong=truncate_prompt."
        )
    return TokenizedExamples(
        token_ids=np.concatenate(pieces),
        offsets=np.cumsum([0, *(len(piece) for piece in pieces)], dtype=np.int64),
        prompt_lengths=np.array(prompt_lengths, dtype=np.int32),
        rows_read=len(prompts),
        rows_dropped=dropped,
        rows_truncated=truncated,
    )


def pack(lengths: np.ndarray, *, capacity: int, method: Packing, rng: np.random.Generator) -> list[list[int]]:
    """Groups examples into rows of at most `capacity` inputs.

    Best fit, longest first: each example goes to the row whose room it fills best. Examples of equal length
    are taken in random order, so that neighbours in the file do not share a row.

    Args:
        lengths: int [examples], each at most `capacity`.
        capacity: inputs per row.
        method: ``"none"`` gives every example a row of its own.
        rng: the source of all randomness.

    Returns:
        The rows, each a list of example indices.
    """
    order = rng.permutation(len(lengths))
    if method == "none":
        return [[int(example)] for example in order]
    order = order[np.argsort(-lengths[order], kind="stable")]
    rows: list[list[int]] = []
    by_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set while some row has exactly r inputs of room
    for example in order.tolist():
        length = int(lengths[example])
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = by_room[room].pop()
            if not by_room[room]:
                rooms &= ~(1 << room)
            rows[row].append(example)
        else:
            room, row = capacity, len(rows)
            rows.append([example])
        if room > length:
            by_room[room - length].append(row)
            rooms |= 1 << (room - length)
    return rows


@dataclass(frozen=True)
class DatasetReport:
    """What training will see, counted once; all but `pad_fraction` are counts."""

    rows_read: int
    rows_dropped: int
    rows_truncated: int
    rows: int
    packed_rows: int
    tokens: int
    supervised_tokens: int
    pad_fraction: float

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


class PackedBatches(keras.utils.PyDataset):
    """Batches of packed rows: packed once, their order drawn for each epoch from the seed and the epoch's number alone.

    Item i is ``(inputs, targets, weights)``, the last two, which Keras' metrics take, being among the inputs, which the
    loss takes; B = batch_size, T = sequence_length, N = supervised slots per batch:

    - ``token_ids`` int32 [B, T], padded with 0 (a real token: only the weights tell padding);
    - ``positions`` int32 [B, T], from 0 in each example;
    - ``segment_ids`` int32 [B, T], from 1 in each row, 0 for padding;
    - ``supervised`` int32 [N], indices into the B x T tokens, whose targets count;
    - ``targets`` int32 [N];
    - ``weights`` float32 [N], what each target's loss counts; 0 for slots that are not used.

    The weights of an optimizer step add up to its `accumulation_steps`, which the optimizer divides by: the loss of a
    step is the mean over its tokens, however they fall on its batches. Batches without rows fill the last step up, so
    every batch has one shape.
    """

    def __init__(
        self,
        examples: TokenizedExamples,
        *,
        sequence_length: int,
        batch_size: int,
        packing: Packing = "best_fit",
        accumulation_steps: int = 1,
        epochs: int = 1,
        seed: int = 0,
        shuffle: bool = True,
    ) -> None:
        super().__init__()
        self.examples = examples
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.accumulation_steps = accumulation_steps
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self.rows = pack(examples.lengths, capacity=sequence_length, method=packing, rng=np.random.default_rng(seed))
        self.steps = -(-len(self.rows) // (batch_size * accumulation_steps))
        self._supervised_per_row = np.array([int(examples.supervised_lengths[row].sum()) for row in self.rows])
        most = max(int(self._supervised_per_batch(self._order_of(epoch)).max()) for epoch in range(epochs))
        self.supervised_slots = _round_up(most, CHUNK_TOKENS if most > CHUNK_TOKENS else SLOT_MULTIPLE)
        self._begin_epoch()

    def __len__(self) -> int:
        return self.steps * self.accumulation_steps

    def on_epoch_end(self) -> None:
        self.epoch += 1
        self._begin_epoch()

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        shape, slots = (self.batch_size, self.sequence_length), self.supervised_slots
        inputs: dict[str, np.ndarray] = {
            name: np.zeros(shape, np.int32) for name in ("token_ids", "positions", "segment_ids")
        }
        inputs |= {name: np.zeros(slots, np.int32) for name in ("supervised", "targets")}
        inputs["weights"] = np.zeros(slots, np.float32)
        filled = 0
        for row, packed in enumerate(rows):
            filled = self._fill_row(row, self.rows[packed], inputs, filled)
        step = index // self.accumulation_steps
        tokens = self._per_batch[step * self.accumulation_steps : (step + 1) * self.accumulation_steps].sum()
        inputs["weights"][:filled] = self.accumulation_steps / tokens
        return inputs, inputs["targets"], inputs["weights"]

    def report(self) -> DatasetReport:
        """What one epoch holds."""
        tokens = int(self.examples.lengths.sum())
        return DatasetReport(
            rows_read=self.examples.rows_read,
            rows_dropped=self.examples.rows_dropped,
            rows_truncated=self.examples.rows_truncated,
            rows=self.examples.rows,
            packed_rows=len(self.rows),
            tokens=tokens,
            supervised_tokens=int(self.examples.supervised_lengths.sum()),
            pad_fraction=1 - tokens / (len(self.rows) * self.sequence_length),
        )

    def _begin_epoch(self) -> None:
        self._order = self._order_of(self.epoch)
        self._per_batch = self._supervised_per_batch(self._order)

    def _order_of(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.rows))
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.rows))

    def _supervised_per_batch(self, order: np.ndarray) -> np.ndarray:
        filled = np.zeros(len(self) * self.batch_size, np.int64)
        filled[: len(order)] = self._supervised_per_row[order]
        return filled.reshape(len(self), self.batch_size).sum(axis=1)

    def _fill_row(self, row: int, members: Sequence[int], inputs: dict[str, np.ndarray], filled: int) -> int:
        """Writes a row's examples; the slots from `filled` on take their targets. Returns the next free slot."""
        at = 0
        for segment, member in enumerate(members, start=1):
            tokens = self.examples.token_ids[self.examples.offsets[member] : self.examples.offsets[member + 1]]
            length, first = len(tokens) - 1, int(self.examples.prompt_lengths[member]) - 1
            inputs["token_ids"][row, at : at + length] = tokens[:-1]
            inputs["positions"][row, at : at + length] = np.arange(length)
            inputs["segment_ids"][row, at : at + length] = segment
            used = slice(filled, filled + length - first)
            inputs["supervised"][used] = np.arange(at + first, at + length) + row * self.sequence_length
            inputs["targets"][used] = tokens[first + 1 :]
            at, filled = at + length, used.stop
        return filled


def _encode(
    prompts: Sequence[str], responses: Sequence[str], tokenizer: Tokenizer
) -> Iterator[tuple[list[int], list[int]]]:
    for start in range(0, len(prompts), TOKENIZE_CHUNK_ROWS):
        chunk = slice(start, start + TOKENIZE_CHUNK_ROWS)
        encodings: list[list[Any]] = [
            tokenizer.encode_batch_fast(list(texts[chunk]), add_special_tokens=False) for texts in (prompts, responses)
        ]
        for prompt, response in zip(*encodings, strict=True):
            yield prompt.ids, response.ids


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
