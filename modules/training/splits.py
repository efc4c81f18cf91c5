"""The training and the evaluation split: tokenised, packed, and what people are shown of them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from modules.settings.run import RunSettings
from modules.training.dataset import PackedBatches, tokenize_examples
from modules.training.dropped import check_dropped
from modules.training.slots import ALONE, Sharing
from modules.training.task import RowTexts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

BEGINNING_WORDS = 6


class TrainingData(NamedTuple):
    """The rows to train and to evaluate on.

    Attributes:
        batches: of the training split.
        eval_batches: of the evaluation split.
        prompts: what people are shown of the training split's rows, in errors.
        eval_prompts: what the model is asked of the evaluation split's rows as it is trained.
    """

    batches: PackedBatches
    eval_batches: PackedBatches
    prompts: Sequence[str]
    eval_prompts: Sequence[str]

    def report(self) -> dict[str, Any]:
        """Returns what both splits hold, as plain JSON."""
        return {"train": self.batches.report().as_dict(), "eval": self.eval_batches.report().as_dict()}


def make_data(
    rows: RowTexts, eval_rows: RowTexts, tokenizer: Tokenizer, settings: RunSettings, sharing: Sharing = ALONE
) -> TrainingData:
    """Returns both splits as batches; what they hold goes to the log.

    Args:
        rows: of the training split.
        eval_rows: of the evaluation split.
        tokenizer: the model's.
        settings: of the run.
        sharing: how devices share a training batch.

    Raises:
        DatasetError: If no row of a split is short enough.
        TooManyDroppedError: If more training rows are too long than may be dropped.
    """
    batches = _make_batches(rows, tokenizer, settings, sharing)
    eval_batches = _make_batches(eval_rows, tokenizer, settings, sharing.for_evaluation, is_training=False)
    logger.info("Split train: %s", batches.report())
    logger.info("Split eval: %s", eval_batches.report())
    check_dropped(
        dropped=batches.report().rows_dropped,
        read=batches.report().rows_read,
        allowed=settings.data.max_dropped,
        sequence_length=settings.training.sequence_length,
    )
    if settings.data.kind == "instructions":
        return TrainingData(batches, eval_batches, rows[0], eval_rows[0])
    return TrainingData(batches, eval_batches, rows[1], first_words(eval_rows[1]))


def _make_batches(
    rows: RowTexts, tokenizer: Tokenizer, settings: RunSettings, sharing: Sharing, *, is_training: bool = True
) -> PackedBatches:
    training = settings.training
    examples = tokenize_examples(*rows, tokenizer, sequence_length=training.sequence_length, overlong=settings.overlong)
    return PackedBatches(
        examples,
        sequence_length=training.sequence_length,
        batch_size=training.batch_size,
        packing=training.packing,
        accumulation_steps=training.accumulation_steps if is_training else 1,
        epochs=training.epochs if is_training else 1,
        seed=training.seed,
        shuffle=is_training,
        sharing=sharing,
    )


def first_words(documents: Sequence[str]) -> list[str]:
    """Returns how documents begin, to be continued in any way."""
    return [" ".join(document.split()[:BEGINNING_WORDS]) for document in documents]
