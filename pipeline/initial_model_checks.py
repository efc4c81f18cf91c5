"""Checks of ``model.preset`` before a run: spelling, files, shapes, tokenizer, context."""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modules.models.families import find_family
from modules.models.family import ModelFamily, Sizes
from modules.models.model_files import CONFIG, CheckpointError, TokenizerError
from pipeline.config import PipelineConfig
from pipeline.initial_model import HubRevision, hub_revision, preflight_hub_settings
from pipeline.layout import absolute
from publishing.errors import NoModelError, PublishError


def family_in(config: PipelineConfig) -> ModelFamily:
    """Returns the family of the model that is configured."""
    return find_family(config.model.family)


def initial_model_problems(config: PipelineConfig) -> Iterator[str]:
    """Yields what keeps ``model.preset`` from being the initial model."""
    preset = config.model.preset
    if preset is None:
        return
    try:
        if initial := hub_revision(preset):
            yield from _context_problems(config, _hub_sizes(config, initial))
        elif "://" not in preset and preset not in family_in(config).presets:
            yield from _folder_problems(config, preset)
    except (CheckpointError, TokenizerError, PublishError, ValueError) as error:
        yield f"model.preset: {error} Received: model.preset={preset!r}."


def initial_model_parameters(config: PipelineConfig, preset: str) -> int:
    """Returns about how many parameters an initial model has; 0 where only KerasHub's files on another server tell."""
    family = family_in(config)
    if preset in family.presets:
        return family.presets[preset].parameters
    folder, initial = Path(absolute(preset)), hub_revision(preset)
    if initial is None and not folder.is_dir():
        return 0
    try:
        sizes = _hub_sizes(config, initial) if initial else family.read_sizes(folder)
    except (CheckpointError, PublishError):  # which another check reports
        return 0
    return family.parameters(sizes)


def _folder_problems(config: PipelineConfig, preset: str) -> Iterator[str]:
    folder, family = Path(absolute(preset)), family_in(config)
    if folder.is_dir():
        yield from (f"model.preset: {problem}" for problem in family.folder_problems(folder))
        yield from _context_problems(config, family.read_sizes(folder))
    elif re.search(r"[/\\]|^[.~]", preset):
        yield f"model.preset: there is no such folder. Received: {folder}."
    else:
        close = difflib.get_close_matches(preset, family.presets, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        yield (
            f"model.preset: KerasHub has no such {family.published.label} preset. Received: {preset!r}.{hint} "
            f"Take one of {', '.join(family.presets)}, a kaggle:// or hf:// handle, hub:namespace/name, or a folder."
        )


def _hub_sizes(config: PipelineConfig, initial: HubRevision) -> Sizes:
    """Returns the sizes in the revision's configuration, read from the Hub."""
    from publishing.connection import QUESTION, connect
    from publishing.downloads import KERAS, initial_model_files

    with connect(preflight_hub_settings(config), patience=QUESTION) as hub, tempfile.TemporaryDirectory() as folder:
        commit = hub.commit_of(initial.repo_id, revision=initial.revision)
        paths = initial_model_files([file.path for file in hub.tree(initial.repo_id, repo_type="model", commit=commit)])
        if not paths:
            raise NoModelError(
                f"The revision must hold a model in safetensors or a KerasHub preset. Received: {initial}."
            )
        path = f"{KERAS}{CONFIG}" if paths[0].startswith(KERAS) else CONFIG
        (Path(folder) / CONFIG).write_bytes(hub.read_file(initial.repo_id, path=path, commit=commit))
        return family_in(config).read_sizes(Path(folder))


def _context_problems(config: PipelineConfig, sizes: Sizes) -> Iterator[str]:
    context = sizes.max_sequence_length
    for field, value, limit in (
        ("training.sequence_length", config.training.sequence_length, context),
        ("generation.max_new_tokens", config.generation.max_new_tokens, context - 1),
    ):
        if value > limit:
            yield (
                f"{field} cannot exceed what the model's context has room for. "
                f"Received: {value}; model.preset has a context of {context}. Set it to {limit} at most."
            )
