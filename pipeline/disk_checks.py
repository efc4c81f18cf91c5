"""Checks that the disks have room for what a run writes: an estimate, by the number of parameters."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from modules.exports import find_forms, forms_to_write
from modules.models.family import Sizes
from pipeline.config import PipelineConfig
from pipeline.initial_model import hub_revision
from pipeline.initial_model_checks import family_in, initial_model_parameters
from pipeline.layout import absolute, hub_folder, pipeline_root
from pipeline.report.formatting import size

WEIGHT_BYTES = 4  # per parameter of a model in float32
DATA_COPIES = 4  # the examples, raw and transformed, with room for statistics and temporary files
OTHER_BYTES = 200 * 2**20  # logs, reports, ML Metadata, the embedded Hub's own records


@dataclass(frozen=True)
class Need:
    """Room that a run takes."""

    what: str
    size_bytes: int
    folder: Path
    setting: str  # what chooses the folder


def disk_problems(
    config: PipelineConfig, *, free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
) -> Iterator[str]:
    """Yields a sentence for each disk that has too little room, or a folder that cannot be written.

    Args:
        config: says what is written where.
        free_bytes: the room on the disk of a folder.
    """
    output = Path(absolute(config.output_dir))
    existing = nearest(output)
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        yield f"output_dir must be a folder that can be written. Received: {output}. Choose another one."
        return
    wanted = sorted(needs(config), key=_device)
    for _, group in groupby(wanted, key=_device):
        yield from _disk_problem(list(group), free_bytes)


def needs(config: PipelineConfig) -> tuple[Need, ...]:
    """Returns what a run writes, and about how much."""
    parameters = parameter_count(config)
    wanted = (*_trained(config, parameters), *_downloaded(config, parameters), *_published(config, parameters))
    return tuple(need for need in wanted if need.size_bytes)


def checkpoint_bytes(config: PipelineConfig, parameters: int) -> int:
    """Returns about how much the checkpoints of a training take, an unfinished one included."""
    training = config.training
    if not training.checkpoint_every_steps or training.lora_rank:  # adapters are small
        return 0
    weights = 4 if training.keep_weights == "best" else 3  # they, two moments of the optimizer, the best ones
    return parameters * WEIGHT_BYTES * weights * (training.keep_checkpoints + 1)


def parameter_count(config: PipelineConfig) -> int:
    """Returns about how many parameters the network has; 0 where nobody but KerasHub can tell."""
    model = config.model
    if model.preset is not None:
        return initial_model_parameters(config, model.preset)
    family = family_in(config)
    vocabulary = family.default_vocabulary_size if model.tokenizer_path else model.vocabulary_size
    given = {name: getattr(model, name) for name in Sizes.__dataclass_fields__ if name != "vocabulary_size"}
    return family.parameters(Sizes(vocabulary_size=vocabulary, **given))


def nearest(folder: Path) -> Path:
    """Returns the folder itself, or the nearest above it that is there."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _trained(config: PipelineConfig, parameters: int) -> Iterator[Need]:
    """Yields the copies of the rows, the exported forms, the checkpoints, and what is written about them."""
    root = pipeline_root(config.output_dir, config.pipeline_name)
    data = Path(absolute(config.data.path))
    rows = sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) if data.is_dir() else 0
    exported = parameters * sum(form.bytes_per_parameter for form in forms_to_write(config.export))
    yield Need("the rows", rows * DATA_COPIES, root, "output_dir")
    yield Need("the exported forms", int(exported), root, "output_dir")
    chosen = config.training.checkpoint_dir
    setting = "output_dir" if chosen is None else "training.checkpoint_dir"
    folder = root if chosen is None else Path(absolute(chosen))
    yield Need("checkpoints", checkpoint_bytes(config, parameters), folder, setting)
    yield Need("logs and reports", OTHER_BYTES, root, "output_dir")


def _downloaded(config: PipelineConfig, parameters: int) -> Iterator[Need]:
    """Yields the models that a run brings from a Hub."""
    root = pipeline_root(config.output_dir, config.pipeline_name)
    weights = parameters * WEIGHT_BYTES
    if hub_revision(config.model.preset):
        yield Need("the model to start from", weights, root, "output_dir")
    if config.evaluation.enabled and config.evaluation.baseline == "published":
        yield Need("the model to compare with", weights, root, "output_dir")


def _published(config: PipelineConfig, parameters: int) -> Iterator[Need]:
    """Yields the embedded Hub's copy of what is published, and the working copies of a publication."""
    publish = config.publish
    if not publish.enabled:
        return
    forms = [int(form.bytes_per_parameter * parameters) for form in find_forms(publish.exports)]
    if publish.endpoint == "local":
        # A file comes in parts that are then joined, so the largest is there twice for a moment.
        yield Need("what is published", sum(forms) + max(forms), hub_folder(config.output_dir), "output_dir")
    if publish.signing_key_env is not None:
        yield Need("files to sign", sum(forms), Path(tempfile.gettempdir()), "TMPDIR")


def _device(need: Need) -> int:
    return nearest(need.folder).stat().st_dev


def _disk_problem(wanted: Sequence[Need], free_bytes: Callable[[Path], int]) -> Iterator[str]:
    """Yields what is missing on the one disk of all that is `wanted`."""
    needed = sum(need.size_bytes for need in wanted)
    place = nearest(wanted[0].folder)
    free = free_bytes(place)
    if free < needed:
        settings = " and ".join(dict.fromkeys(need.setting for need in wanted))
        parts = ", ".join(f"{need.what} {size(need.size_bytes)}" for need in wanted)
        yield (
            f"The disk of {settings} needs about {size(needed)} for this run: {parts}. "
            f"Received: {size(free)} free on {place}. Free some, or set {settings} to another disk."
        )
