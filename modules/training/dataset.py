"""From prompts and responses to training batches: tokenise, mask, pack. NumPy only, any Keras backend.

An example of n tokens (prompt, response, end token) gives n - 1 inputs and n - 1 targets, each target the
token after its input. Only targets inside the response, its end token included, are supervised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np
from tokenizers import Tokenizer

from modules.models.gpt2.tokenizer import encode_rows, end_token_id
from modules.training.dropped import needed_length
from modules.training.packing import cut_batches, place, ranges, round_up
from modules.training.slots import ALONE, SLOT_MULTIPLE, Sharing, part_slots

if TYPE_CHECKING:
    from modules.settings.training import Overlong, Packing

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


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
        source_rows: int64 [rows], the index of each example among the rows given.
        rows_read: rows given, kept or not.
        rows_dropped: rows left out because they do not fit.
        rows_truncated: rows whose prompt lost tokens at its start.
        rows_split: rows cut into several examples.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    prompt_lengths: np.ndarray
    source_rows: np.ndarray
    rows_read: int
    rows_dropped: int
    rows_truncated: int
    rows_split: int = 0

    @property
    def rows(self) -> int:
        return len(self.prompt_lengths)

    @property
    def lengths(self) -> np.ndarray:
        """Inputs per example: its tokens less one; int64 [rows]."""
        return np.diff(self.offsets) - 1

    @property
    def supervised_lengths(self) -> np.ndarray:
        """Returns the supervised targets per example: the response and its end token; int64 [rows]."""
        return self.lengths - self.prompt_lengths + 1


def tokenize_examples(
    prompts: Sequence[str],
    responses: Sequence[str],
    tokenizer: Tokenizer,
    *,
    sequence_length: int,
    overlong: Overlong = "drop",
) -> TokenizedExamples:
    """Tokenises every row as prompt, response, end token. An empty prompt is the end token: what precedes a document.

    A row of more than `sequence_length` + 1 tokens is dropped, or its prompt loses tokens at the start
    (`overlong`); a response that does not fit with one prompt token before it is dropped either way. The
    response and its end token are never cut, but by "split", which is for documents: consecutive examples, each of
    which begins with the token that the one before ended with, so that every token is learnt once.

    Raises:
        DatasetError: If no row is left.
    """
    end_id = end_token_id(tokenizer)
    pieces: list[np.ndarray] = []
    prompt_lengths: list[int] = []
    source_rows: list[int] = []
    dropped = truncated = split = 0
    for number, (prompt_ids, response_ids) in enumerate(encode_rows(zip(prompts, responses, strict=True), tokenizer)):
        if needed_length(len(prompt_ids), len(response_ids), overlong) > sequence_length:
            dropped += 1
            continue
        prompt_ids = prompt_ids or [end_id]
        excess = len(prompt_ids) + len(response_ids) - sequence_length  # the end token takes the one to spare
        if excess > 0 and overlong == "truncate_prompt":
            prompt_ids = prompt_ids[excess:]
            truncated += 1
        tokens = np.array([*prompt_ids, *response_ids, end_id], dtype=np.int32)
        for piece, prompt_length in _cut(tokens, len(prompt_ids), sequence_length):
            pieces.append(piece)
            prompt_lengths.append(prompt_length)
            source_rows.append(number)
        split += excess > 0 and overlong == "split"
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
        source_rows=np.array(source_rows, dtype=np.int64),
        rows_read=len(prompts),
        rows_dropped=dropped,
        rows_truncated=truncated,
        rows_split=split,
    )


def _cut(tokens: np.ndarray, prompt_length: int, sequence_length: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yields consecutive pieces of `sequence_length` inputs, each with the length of its prompt."""
    for start in range(0, len(tokens) - 1, sequence_length):
        if prompt_length - start <= sequence_length:  # else nothing in it is supervised
            yield tokens[start : start + sequence_length + 1], max(prompt_length - start, 1)


@dataclass(frozen=True)
class DatasetReport:
    """Counts of the rows that training will see; `pad_fraction` alone is a share."""

    rows_read: int
    rows_dropped: int
    rows_truncated: int
    rows_split: int
    rows: int
    packed_rows: int
    tokens: int
    supervised_tokens: int
    pad_fraction: float

    def as_dict(self) -> dict[str, int | float]:
        return asdict(self)


class PackedBatches(keras.utils.PyDataset):
    """Batches of packed rows: packed once, their order drawn for each epoch from the seed and the epoch's number alone.

    An item is ``(inputs, targets, weights)``, the last two, which Keras' metrics take, being among the inputs, which
    the loss takes; B rows of T tokens (batch_size and sequence_length, other shapes of about as many tokens with
    buckets), N = supervised slots per batch:

    - ``token_ids`` int32 [B, T], padded with 0 (a real token: only the weights tell padding);
    - ``positions`` int32 [B, T], from 0 in each example;
    - ``segment_ids`` int32 [B, T], from 1 in each row, 0 for padding;
    - ``supervised`` int32 [N], indices into the B x T tokens, whose targets count;
    - ``targets`` int32 [N];
    - ``weights`` float32 [N], what each target's loss counts; 0 for slots that are not used, which come last.

    The weights of an optimizer step add up to its `accumulation_steps`, which the optimizer divides by: the loss of a
    step is the mean over its tokens, however they fall on its batches. Batches without rows fill the last step up, and
    rows without tokens the last batch of a length. Where devices work apart, each has its part of the slots, whose
    indices count its own rows' tokens.
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
        sharing: Sharing = ALONE,
    ) -> None:
        super().__init__()
        self.examples = examples
        self.sharing = sharing
        self.sequence_length = sequence_length
        self.batch_size = batch_size
        self.accumulation_steps = accumulation_steps
        self.seed = seed
        self.shuffle = shuffle
        self.epoch = 0
        self.rows = place(examples.lengths, capacity=sequence_length, method=packing, rng=np.random.default_rng(seed))
        self._supervised_per_row = self.rows.sums(examples.supervised_lengths)
        self._drawn = (0, self._draw(0))
        self.steps = -(-len(self._drawn[1]) // accumulation_steps)
        # TensorFlow takes batches of any shape; others would compile anew for each.
        self.supervised_slots = SLOT_MULTIPLE
        if keras.backend.backend() != "tensorflow":
            self.supervised_slots = max(self._slots(self._draw(epoch)) for epoch in range(epochs))

    def __len__(self) -> int:
        return self.steps * self.accumulation_steps

    def on_epoch_end(self) -> None:
        self.epoch += 1

    def __getitem__(self, index: int) -> Batch:
        return self.batch(self.epoch, index)

    def batch(self, epoch: int, index: int) -> Batch:
        """Returns the batch at `index` of an epoch, both from 0."""
        batches = self._order_of(epoch)
        chosen = batches[index] if index < len(batches) else np.array([], np.int64)
        rows, length = self._shape(chosen)
        inputs, filled = self._fill(chosen, rows, length)
        step = index // self.accumulation_steps
        together = batches[step * self.accumulation_steps : (step + 1) * self.accumulation_steps]
        tokens = sum(int(self._supervised_per_row[batch].sum()) for batch in together)
        inputs["weights"][:filled] = self.accumulation_steps / tokens
        if self.sharing.parts > 1:
            inputs = part_slots(inputs, parts=self.sharing.parts)
        return inputs, inputs["targets"], inputs["weights"]

    def examples_of(self, epoch: int, index: int) -> list[int]:
        """Returns the indices, among the examples, of what the batch at `index` of an epoch holds."""
        batches = self._order_of(epoch)
        rows = batches[index].tolist() if index < len(batches) else []
        return [example for row in rows for example in self.rows.members_of(row)]

    def report(self) -> DatasetReport:
        """Returns what one epoch holds."""
        tokens = int(self.examples.lengths.sum())
        return DatasetReport(
            rows_read=self.examples.rows_read,
            rows_dropped=self.examples.rows_dropped,
            rows_truncated=self.examples.rows_truncated,
            rows_split=self.examples.rows_split,
            rows=self.examples.rows,
            packed_rows=len(self.rows),
            tokens=tokens,
            supervised_tokens=int(self.examples.supervised_lengths.sum()),
            pad_fraction=1 - tokens / int(self.rows.lengths.sum()),
        )

    def fingerprint(self) -> str:
        """Returns the sha256 of the rows and of how they fall on batches."""
        digest = hashlib.sha256()
        arrays = [self.examples.token_ids, self.examples.offsets, self.examples.prompt_lengths, self.rows.members]
        for array in (*arrays, self.rows.starts, self.rows.lengths):
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        facts = (self.batch_size, self.sequence_length, self.accumulation_steps, self.seed, self.shuffle)
        digest.update(repr(facts).encode())
        return digest.hexdigest()

    def _order_of(self, epoch: int) -> list[np.ndarray]:
        drawn, batches = self._drawn
        if drawn != epoch:
            batches = self._draw(epoch)
            self._drawn = (epoch, batches)
        return batches

    def _draw(self, epoch: int) -> list[np.ndarray]:
        """Returns the row indices of each batch of an epoch."""
        rng = np.random.default_rng((self.seed, epoch)) if self.shuffle else None
        return cut_batches(self.rows, tokens=self.batch_size * self.sequence_length, rng=rng)

    def _shape(self, chosen: np.ndarray) -> tuple[int, int]:
        length = int(self.rows.lengths[chosen[0]]) if len(chosen) else self.sequence_length
        return max(self.batch_size * self.sequence_length // length, 1), length

    def _slots(self, batches: list[np.ndarray]) -> int:
        """Returns the supervised slots for the fullest of some batches."""
        most = max(int(self._supervised_per_row[batch].sum()) for batch in batches)
        return round_up(most, self.sharing.slot_multiple)

    def _fill(self, chosen: np.ndarray, rows: int, length: int) -> tuple[dict[str, np.ndarray], int]:
        """Returns the inputs but for the weights, and how many of the supervised slots are used."""
        examples = self.examples
        tokens = ("token_ids", "positions", "segment_ids")
        inputs: dict[str, np.ndarray] = {name: np.zeros((rows, length), np.int32) for name in tokens}
        counts = np.diff(self.rows.starts)[chosen]
        places, order = ranges(self.rows.starts[chosen], counts)  # of each example: among the members, in its row
        members = self.rows.members[places]
        lengths, row = examples.lengths[members], np.repeat(np.arange(len(chosen)), counts)
        before = np.cumsum(lengths) - lengths
        in_row = before - np.repeat(before[np.cumsum(counts) - counts], counts) if len(members) else before
        source, position = ranges(examples.offsets[members], lengths)
        at, _ = ranges(row * length + in_row, lengths)
        for name, values in (
            ("token_ids", examples.token_ids[source]),
            ("positions", position),
            ("segment_ids", np.repeat(order + 1, lengths)),
        ):
            inputs[name].reshape(-1)[at] = values
        counted = position >= np.repeat(examples.prompt_lengths[members] - 1, lengths)
        filled = int(counted.sum())
        slots = max(round_up(filled, SLOT_MULTIPLE), self.supervised_slots)
        inputs |= {name: np.zeros(slots, np.int32) for name in ("supervised", "targets")}
        inputs["weights"] = np.zeros(slots, np.float32)
        inputs["supervised"][:filled] = at[counted]
        inputs["targets"][:filled] = examples.token_ids[source[counted] + 1]
        return inputs, filled


class BatchStream(keras.utils.PyDataset):
    """The batches of a training run from one position to another, epoch after epoch, as one pass.

    Args:
        batches: what each epoch holds.
        start: batches already trained on.
        stop: batches of the whole run.
    """

    def __init__(self, batches: PackedBatches, *, start: int, stop: int) -> None:
        super().__init__()
        self.batches = batches
        self.start = start
        self.stop = stop

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> Batch:
        return self.batches.batch(*divmod(self.start + index, len(self.batches)))
