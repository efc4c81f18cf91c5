"""GPT-2's byte-level BPE: trained here, read from files, or taken from a KerasHub preset.

Training tokenises with Hugging Face ``tokenizers`` (no TensorFlow, all cores); the serving graph with
KerasHub's tokenizer. Both come from the same vocabulary and merges; ``tests/modules/test_tokenizer.py`` holds
them to the same ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from modules.models.model_files import TokenizerError, read_json
from modules.prompts.format import END_TOKEN

if TYPE_CHECKING:
    from keras_hub.tokenizers import GPT2Tokenizer

VOCABULARY_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
TOKENIZER_FILE = "tokenizer.json"
BYTES = 256
ENCODED_TOGETHER = 4096  # rows; the cores share them
PADDED_TO = 128  # rows of an embedding may be filled up to a multiple of it


def train_tokenizer(texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
    """Returns a byte-level BPE tokenizer learnt from `texts`.

    Args:
        texts: what the model will read, prompts and responses alike.
        vocabulary_size: entries at most, the 256 bytes and the end token included. Few texts can give fewer.

    Raises:
        TokenizerError: If `vocabulary_size` has no room for the bytes and the end token.
    """
    if vocabulary_size <= BYTES:
        raise TokenizerError(
            f"A byte-level vocabulary needs at least {BYTES + 1} entries (256 bytes and the end token). "
            f"Received: vocabulary_size={vocabulary_size}"
        )
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size - 1,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary, merges = vocabulary_and_merges(tokenizer)
    # The last id, as in GPT-2: KerasHub pads with id 0, and its generation would take padding for the end.
    vocabulary[END_TOKEN] = len(vocabulary)
    return from_vocabulary(vocabulary, merges)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Returns the tokenizer of a folder with ``vocab.json`` and ``merges.txt``, or else ``tokenizer.json``.

    Raises:
        TokenizerError: If a file is absent, malformed, or the vocabulary lacks the end token.
    """
    return from_vocabulary(*read_vocabulary(folder))


def read_vocabulary(folder: Path) -> tuple[dict[str, int], list[str]]:
    """Returns the vocabulary (token → id) and merges of a tokenizer's folder.

    Raises:
        TokenizerError: If a file is absent or malformed.
    """
    paths = [folder / VOCABULARY_FILE, folder / MERGES_FILE]
    missing = [path.name for path in paths if not path.is_file()]
    if missing and (folder / TOKENIZER_FILE).is_file():
        return _from_tokenizer_file(folder / TOKENIZER_FILE)
    if missing:
        raise TokenizerError(
            f"A tokenizer folder holds {VOCABULARY_FILE} and {MERGES_FILE}, or {TOKENIZER_FILE}. "
            f"Received: {folder} without {', '.join(missing)}"
        )
    vocabulary = read_json(paths[0], error_type=TokenizerError)
    lines = paths[1].read_text(encoding="utf-8").split("\n")
    return vocabulary, [line for line in lines if line and not line.startswith("#version")]


def _from_tokenizer_file(path: Path) -> tuple[dict[str, int], list[str]]:
    content = read_json(path, error_type=TokenizerError)
    model = content.get("model") or {}
    if "merges" not in model or "vocab" not in model:
        raise TokenizerError(
            f"A GPT-2 tokenizer is byte-level BPE. Received: {path} of type {model.get('type')}. Name one of a GPT-2."
        )
    added = {token["content"]: token["id"] for token in content.get("added_tokens") or ()}
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    return model["vocab"] | added, merges


def check_fit(vocabulary: Mapping[str, int], embedding_rows: int) -> None:
    """Checks that a tokenizer's ids are those of a model's embedding.

    An embedding may have a few rows more, up to a multiple of 128, which no token uses.

    Args:
        vocabulary: token → id.
        embedding_rows: of the model.

    Raises:
        TokenizerError: With both sizes, or the ids that have no row.
    """
    sizes = f"Received: a tokenizer of {len(vocabulary)} tokens, an embedding of {embedding_rows} rows"
    if END_TOKEN not in vocabulary:
        raise TokenizerError(f"A GPT-2 tokenizer holds the end token {END_TOKEN}. {sizes}, and no such token.")
    beyond = sorted((index, token) for token, index in vocabulary.items() if index >= embedding_rows)
    if beyond:
        shown = ", ".join(f"{token!r} = {index}" for index, token in beyond[:3])
        more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
        raise TokenizerError(f"Every token needs a row of the model's embedding. {sizes}; without: {shown}{more}.")
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise TokenizerError(f"A tokenizer's ids must be 0, 1, 2 and so on, each once. {sizes}.")
    if embedding_rows - len(vocabulary) >= PADDED_TO:
        raise TokenizerError(f"A model starts with the tokenizer that it was trained with. {sizes}. Name its own.")


def from_vocabulary(vocabulary: dict[str, int], merges: Iterable[str]) -> Tokenizer:
    """Returns the tokenizer of a vocabulary (token → id) and its merges (``"a b"``, most frequent first).

    Raises:
        TokenizerError: If the vocabulary lacks the end token.
    """
    if END_TOKEN not in vocabulary:
        raise TokenizerError(
            f"A GPT-2 vocabulary holds the end token {END_TOKEN}. Received: {len(vocabulary)} entries without it"
        )
    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    tokenizer = _byte_level(models.BPE(vocab=vocabulary, merges=pairs))
    tokenizer.add_special_tokens([END_TOKEN])
    return tokenizer


def encode_rows(rows: Iterable[tuple[str, str]], tokenizer: Tokenizer) -> Iterator[tuple[list[int], list[int]]]:
    """Yields the token ids of each row's prompt and response, without end tokens; holds a few thousand rows at once."""
    left = iter(rows)
    while chunk := list(islice(left, ENCODED_TOGETHER)):
        prompts, responses = (
            tokenizer.encode_batch_fast(list(texts), add_special_tokens=False) for texts in zip(*chunk, strict=True)
        )
        for prompt, response in zip(prompts, responses, strict=True):
            yield prompt.ids, response.ids


def end_token_id(tokenizer: Tokenizer) -> int:
    """Returns the id of the end token."""
    found = tokenizer.token_to_id(END_TOKEN)
    if found is None:
        raise TokenizerError(f"A GPT-2 tokenizer holds the end token {END_TOKEN}. Received: one without it")
    return int(found)


def vocabulary_and_merges(tokenizer: Tokenizer) -> tuple[dict[str, int], list[str]]:
    """Returns token → id in the order of ids, and the merges as ``"a b"``."""
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    return vocabulary, [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]


def to_keras(tokenizer: Tokenizer) -> GPT2Tokenizer:
    """Returns KerasHub's tokenizer of the same vocabulary and merges; it splits text differently, see
    `graph_tokenizer`."""
    from keras_hub.tokenizers import GPT2Tokenizer

    vocabulary, merges = vocabulary_and_merges(tokenizer)
    return GPT2Tokenizer(vocabulary=vocabulary, merges=merges)


def from_keras(tokenizer: GPT2Tokenizer) -> Tokenizer:
    """Returns the ``tokenizers`` form of a KerasHub preset's tokenizer."""
    return from_vocabulary(dict(tokenizer.vocabulary), [merge for merge in tokenizer.merges if "#version" not in merge])


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes ``tokenizer.json``, ``vocab.json`` and ``merges.txt`` into `folder`."""
    vocabulary, merges = vocabulary_and_merges(tokenizer)
    tokenizer.save(str(folder / TOKENIZER_FILE))
    (folder / VOCABULARY_FILE).write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / MERGES_FILE).write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # A literal end token inside a text is text: only the data path appends the real one.
    tokenizer.encode_special_tokens = True
    return tokenizer
