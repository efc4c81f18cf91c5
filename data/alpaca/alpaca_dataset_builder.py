"""The TFDS dataset `alpaca`: configs `original`, `cleaned`, and `local_config(path)` for a local file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from data.alpaca.editions import EDITIONS, ORIGINS, sha256_of
from data.origin import MANIFEST, Origin
from data.rows import read_rows, split_rows, usable_rows
from data.splits import SPLITS
from data.tfrecords import FIELDS, Row


@dataclasses.dataclass
class AlpacaConfig(tfds.core.BuilderConfig):
    """Configuration of an edition: the source of the rows and how they are split."""

    path: str = ""  # of a local file; empty: the public edition of the config's name
    eval_percent: float = 5.0  # share of the rows in eval, %, above 0 and below 100
    input_markers: str = "blank"  # what becomes of an input that only says "noinput"
    origin: Origin = dataclasses.field(default_factory=Origin)  # of the rows


def local_config(
    path: str | Path,
    *,
    eval_percent: float = 5.0,
    input_markers: str = "blank",
    license: str | None = None,
    datasets: Sequence[str] = (),
) -> AlpacaConfig:
    """Returns a config for a local file, named by content and settings so that TFDS never serves another's rows.

    `license` and `datasets` are the Hub's names, for the card of a model that is trained on the rows.
    """
    origin = Origin(license, tuple(datasets), (Path(path).name,))
    name = f"local-{sha256_of(Path(path))[:12]}-eval{eval_percent:g}-{input_markers}"
    return AlpacaConfig(
        name=name, path=str(path), eval_percent=eval_percent, input_markers=input_markers, origin=origin
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Instruction, optional input, and answer."""

    VERSION = tfds.core.Version("1.0.0")
    # TFDS 4.9.10 finds this file through importlib_resources, which it does not declare as a dependency.
    code_path = tfds.core.Path(__file__)
    BUILDER_CONFIGS = [AlpacaConfig(name=edition, origin=ORIGINS[edition]) for edition in EDITIONS]  # noqa: RUF012  (TFDS's own form)

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({field: tfds.features.Text() for field in FIELDS}),
            homepage="https://github.com/tatsu-lab/stanford_alpaca",
        )

    def download_and_prepare(self, **options: Any) -> None:
        """Prepares the rows as any builder does, and writes dataset.json beside them."""
        super().download_and_prepare(**options)
        (self.data_path / MANIFEST).write_text(self.builder_config.origin.render())

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config: AlpacaConfig = self.builder_config
        path = Path(config.path or dl_manager.download(EDITIONS[config.name]))
        usable = usable_rows(read_rows(path), input_markers=config.input_markers)
        rows = split_rows(usable, config.eval_percent)
        return {split: self._generate_examples(rows[split]) for split in SPLITS}

    def _generate_examples(self, rows: list[Row]) -> Iterator[tuple[int, dict[str, str]]]:
        for index, row in enumerate(rows):
            yield index, row._asdict()
