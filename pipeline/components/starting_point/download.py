"""Brings of a published model what a training needs to start from it. Knows nothing of TFX."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.components.hf_pusher.errors import PublishError
from pipeline.components.published_model.download import check_file

if TYPE_CHECKING:
    from pipeline.components.hf_pusher.hub_client import Hub

# At a repository's root, what a Transformers checkpoint in safetensors consists of; other files stay there.
CONFIG, WEIGHTS = "config.json", ".safetensors"
TOKENIZERS = (("vocab.json", "merges.txt"), ("tokenizer.json",))
INDEX = "model.safetensors.index.json"
KERAS = "keras/"  # where this project publishes the KerasHub preset


class StartError(PublishError):
    """A revision holds no model that training can start from."""


def download_start(hub: Hub, repo_id: str, *, commit: str, folder: Path) -> tuple[str, ...]:
    """Writes a revision's weights and tokenizer into `folder`, as a model artifact of the Trainer has them.

    Args:
        hub: where to look.
        repo_id: model repository, "namespace/name".
        commit: of the revision.
        folder: made if absent.

    Returns:
        The paths in the repository that were downloaded.

    Raises:
        HubError: If the Hub refuses or does not answer.
        StartError: If the revision has no model in a form that can be read.
        DownloadError: If a file's SHA-256 is not the one that the Hub lists.
    """
    tree = {file.path: file for file in hub.tree(repo_id, repo_type="model", commit=commit)}
    paths = wanted_files(tuple(tree))
    if not paths:
        raise StartError(
            "Training starts from safetensors with a config.json and a tokenizer, or from a KerasHub preset in keras/. "
            f"Received: {repo_id} at {commit}, which holds {', '.join(sorted(tree)[:8]) or 'nothing'}. "
            "Name a revision that was published with transformers or keras."
        )
    place = folder / "exports" / ("" if paths[0].startswith(KERAS) else "transformers")
    place.mkdir(parents=True, exist_ok=True)
    hub.download_files(repo_id, paths=paths, commit=commit, folder=place)
    for path in paths:
        check_file(tree[path], place / path)
    return paths


def wanted_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Of a repository's files, the smallest set that makes a model; none if there is no such set."""
    root = [path for path in paths if "/" not in path]
    weights = [path for path in root if path.endswith(WEIGHTS)]
    tokenizer = next((names for names in TOKENIZERS if set(names) <= set(root)), None)
    if CONFIG in root and weights and tokenizer:
        index = [INDEX] if INDEX in root else []
        chosen = weights if index else [path for path in weights if path == "model.safetensors"]
        return tuple(sorted((CONFIG, *chosen, *index, *tokenizer))) if chosen else ()
    return tuple(sorted(path for path in paths if path.startswith(KERAS)))
