"""Lengths of rows in tokens of the tokenizer that the model will have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from data.errors import SourceError
from data.extra import require
from data.tfrecords import Row

_SUFFIX_FILES = ("tokenizer.json", "vocab.json", "merges.txt")


def count_tokens(rows: Sequence[Row], tokenizer: str) -> list[int]:
    """Returns for each row the tokens of its three texts together, without what a prompt format adds.

    Args:
        rows: rows to count.
        tokenizer: folder with tokenizer.json, or vocab.json and merges.txt.

    Raises:
        SourceError: If it holds none.
    """
    loaded = load(tokenizer)
    texts = [text for row in rows for text in row]
    lengths = [len(encoding) for encoding in loaded.encode_batch_fast(texts, add_special_tokens=False)]
    return [sum(lengths[start : start + 3]) for start in range(0, len(lengths), 3)]


@lru_cache(maxsize=1)
def load(folder: str) -> Any:
    """Returns the tokenizer of a folder.

    Raises:
        SourceError: If it holds none that can be read.
    """
    library = require("tokenizers", "count tokens")
    whole, vocabulary, merges = (Path(folder) / name for name in _SUFFIX_FILES)
    try:
        if vocabulary.is_file() and merges.is_file():
            tokenizer = library.Tokenizer(library.models.BPE.from_file(str(vocabulary), str(merges)))
            tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
            return tokenizer
        return library.Tokenizer.from_file(str(whole))
    except Exception as error:
        raise SourceError(
            f"--tokenizer must be a folder with tokenizer.json, or vocab.json and merges.txt. Received: {folder}; "
            f"{error}. Name the tokenizer of the model, such as a published revision's folder."
        ) from error
