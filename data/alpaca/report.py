"""The dataset report: what was read, what was dropped and why, what was written."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from data.splits import SPLITS, Split, asked, normalised_row
from data.tfrecords import FIELDS, Row

PERCENTILES = (50, 90, 99, 100)
EXAMPLES_PER_REASON = 3
_EXAMPLE_CHARACTERS = 80


class Tally:
    """Counts of dropped and changed rows, made as they pass."""

    def __init__(self) -> None:
        self.rows_read = 0
        self.input_markers: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._examples: dict[str, list[dict[str, Any]]] = {}

    def drop(self, reason: str, index: int, row: Row) -> None:
        self._dropped[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < EXAMPLES_PER_REASON:
            examples.append({"row": index, "instruction": row.instruction[:_EXAMPLE_CHARACTERS]})

    def dropped(self) -> dict[str, Any]:
        return {
            reason: {"rows": count, "examples": self._examples[reason]}
            for reason, count in sorted(self._dropped.items())
        }


def percentile(sorted_values: Sequence[int], percent: int) -> int:
    """Returns the smallest value that at least `percent` % of the values do not exceed (nearest rank)."""
    return sorted_values[max(math.ceil(len(sorted_values) * percent / 100), 1) - 1]


def dataset_report(
    rows_by_split: Mapping[Split, Sequence[Row]],
    tally: Tally,
    *,
    source: Mapping[str, Any],
    settings: Mapping[str, Any],
    files: Mapping[Split, Sequence[str]],
) -> dict[str, Any]:
    """Returns the report as plain JSON data; no path, time or machine in it, so equal inputs give equal reports."""
    rows = [row for split in SPLITS for row in rows_by_split[split]]
    in_train = {asked(row) for row in rows_by_split["train"]}
    return {
        "source": dict(source),
        "settings": dict(settings),
        "rows_read": tally.rows_read,
        "rows_kept": len(rows),
        "rows_dropped": tally.dropped(),
        "rows_with_input": sum(bool(row.input.strip()) for row in rows),
        "rows_with_input_marker": dict(tally.input_markers.most_common()),
        "rows_repeated": len(rows) - len(set(map(normalised_row, rows))),
        "eval_rows_whose_prompt_is_in_train": sum(asked(row) in in_train for row in rows_by_split["eval"]),
        "splits": {split: {"rows": len(rows_by_split[split]), "files": list(files[split])} for split in SPLITS},
        "characters": {field: _lengths([getattr(row, field) for row in rows]) for field in FIELDS},
    }


def _lengths(texts: Sequence[str]) -> dict[str, int]:
    lengths = sorted(map(len, texts))
    return {f"p{percent}": percentile(lengths, percent) for percent in PERCENTILES}
