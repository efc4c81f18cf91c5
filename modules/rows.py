"""Reads Transform's output back as text."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

READ_BATCH = 4096


def read_rows(patterns: Sequence[str]) -> tuple[list[str], list[str]]:
    """Prompts and responses of gzipped TFRecords, in an order that does not depend on how Beam wrote them.

    Args:
        patterns: file patterns of one split, as Trainer's ``fn_args`` gives them.
    """
    files = sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))
    features = {name: tf.io.FixedLenFeature([], tf.string) for name in ("prompt", "response")}
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").batch(READ_BATCH)
    rows: list[tuple[bytes, bytes]] = []
    for batch in records.map(lambda batch: tf.io.parse_example(batch, features)).as_numpy_iterator():
        rows.extend(zip(batch["prompt"], batch["response"], strict=True))
    rows.sort()
    return [prompt.decode() for prompt, _ in rows], [response.decode() for _, response in rows]
