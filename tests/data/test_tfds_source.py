"""A data set of TFDS as a source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.origin import Origin
from data.rows import read_rows
from data.sources.items import ReadSettings
from data.sources.kinds import plan
from data.tfrecords import Row

ROWS = [Row(f"Question {index}", "", f"Ä {index}") for index in range(60)]


def test_a_prepared_data_set_is_read_with_all_its_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tfds = pytest.importorskip("tensorflow_datasets")
    from data.alpaca.alpaca_dataset_builder import Builder, local_config

    source = tmp_path / "rows.json"
    source.write_text(json.dumps([row._asdict() for row in ROWS]))
    config = local_config(source, eval_percent=20, license="cc-by-4.0", datasets=["me/rows"])
    Builder(data_dir=tmp_path / "tfds", config=config).download_and_prepare()
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path / "tfds"))
    address = f"tfds:alpaca/{config.name}"

    planned = plan(address, ReadSettings())

    assert [part.details["split"] for part in planned.parts] == ["train", "eval"]
    assert planned.origin == Origin("cc-by-4.0", ("me/rows",), ("rows.json",))
    assert sorted(read_rows(address)) == sorted(ROWS)
