"""What can be checked of ``model.preset`` before a run: spelling, files, shapes, tokenizer, context."""

from __future__ import annotations

import difflib
import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from modules.models.gpt2.checkpoint import (
    CONFIG,
    CheckpointError,
    Sizes,
    model_folder,
    read_sizes,
    shape_problems,
    tensors,
)
from modules.models.gpt2.tokenizer import TokenizerError, check_fit, read_vocabulary
from pipeline.components.hf_pusher.errors import PublishError
from pipeline.config import PipelineConfig
from pipeline.hub_model import HubModel, hub_model
from pipeline.layout import absolute, hub_folder

PRESET_PARAMETERS = {
    "gpt2_base_en": 124_000_000,
    "gpt2_base_en_cnn_dailymail": 124_000_000,
    "gpt2_medium_en": 355_000_000,
    "gpt2_large_en": 774_000_000,
    "gpt2_extra_large_en": 1_558_000_000,
}
KERAS_VOCABULARY = "assets/tokenizer/vocabulary.json"


def start_problems(config: PipelineConfig) -> Iterator[str]:
    """What speaks against starting from ``model.preset``."""
    preset = config.model.preset
    if preset is None:
        return
    try:
        if start := hub_model(preset):
            yield from _context_problems(config, _hub_sizes(config, start))
        elif "://" not in preset and preset not in PRESET_PARAMETERS:
            yield from _folder_problems(config, preset)
    except (CheckpointError, TokenizerError, PublishError, ValueError) as error:
        yield f"model.preset: {error} Received: model.preset={preset!r}."


def start_parameters(config: PipelineConfig, preset: str) -> int:
    """About how many parameters a starting point has; 0 where only KerasHub's files elsewhere tell."""
    if preset in PRESET_PARAMETERS:
        return PRESET_PARAMETERS[preset]
    place, start = Path(absolute(preset)), hub_model(preset)
    if start is None and not place.is_dir():
        return 0
    try:
        sizes = _hub_sizes(config, start) if start else read_sizes(*model_folder(place))
    except (CheckpointError, PublishError):  # which another check reports
        return 0
    block = 4 * sizes.hidden_dim**2 + 2 * sizes.hidden_dim * sizes.intermediate_dim
    return (sizes.vocabulary_size + sizes.max_sequence_length) * sizes.hidden_dim + sizes.num_layers * block


def _folder_problems(config: PipelineConfig, preset: str) -> Iterator[str]:
    place = Path(absolute(preset))
    if place.is_dir():
        folder, form = model_folder(place)
        sizes = read_sizes(folder, form)
        if form == "transformers":
            yield from (f"model.preset: {problem}" for problem in shape_problems(tensors(folder), sizes))
            check_fit(read_vocabulary(folder)[0], sizes.vocabulary_size)
        elif (vocabulary := folder / KERAS_VOCABULARY).is_file():
            check_fit(json.loads(vocabulary.read_text(encoding="utf-8")), sizes.vocabulary_size)
        yield from _context_problems(config, sizes)
    elif re.search(r"[/\\]|^[.~]", preset):
        yield f"model.preset: there is no such folder. Received: {place}."
    else:
        close = difflib.get_close_matches(preset, PRESET_PARAMETERS, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        yield (
            f"model.preset: KerasHub has no such GPT-2 preset. Received: {preset!r}.{hint} "
            f"Take one of {', '.join(PRESET_PARAMETERS)}, a kaggle:// or hf:// handle, hub:namespace/name, or a folder."
        )


def _hub_sizes(config: PipelineConfig, start: HubModel) -> Sizes:
    """What the revision's configuration tells, asked of the Hub."""
    from pipeline.components.hf_pusher.connection import QUESTION, connect
    from pipeline.components.starting_point.download import KERAS, StartError, wanted_files

    publish = config.publish
    with (
        connect(
            endpoint=publish.endpoint,
            token_env=publish.token_env,
            storage_dir=str(hub_folder(config.output_dir)),
            local_port=0,  # for a look at the folder, any will do
            patience=QUESTION,
        ) as hub,
        tempfile.TemporaryDirectory() as place,
    ):
        commit = hub.commit_of(start.repo_id, revision=start.revision)
        paths = wanted_files([file.path for file in hub.tree(start.repo_id, repo_type="model", commit=commit)])
        if not paths:
            raise StartError(f"The revision must hold a model in safetensors or a KerasHub preset. Received: {start}.")
        path = f"{KERAS}{CONFIG}" if paths[0].startswith(KERAS) else CONFIG
        (Path(place) / CONFIG).write_bytes(hub.read_file(start.repo_id, path=path, commit=commit))
        return read_sizes(*model_folder(Path(place)))


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
