"""The models that a run begins with: where their files are, what identifies them, and the nodes that download them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modules.fingerprint import reference_fingerprint
from modules.settings.model import ModelSettings
from pipeline.components.model_downloader.component import ModelDownloader
from pipeline.components.model_downloader.executor import Purpose
from pipeline.config import PipelineConfig
from pipeline.initial_model import hub_revision
from pipeline.layout import absolute, hub_folder
from publishing.revision_names import MAIN
from publishing.settings import DownloadSettings


def make_initial_model(config: PipelineConfig, project_dir: str) -> ModelDownloader | None:
    """Returns the node that downloads the initial model from a Hub; None if the initial model is not on one."""
    initial = hub_revision(config.model.preset)
    if initial is None:
        return None
    settings = _download_settings(config, initial.repo_id, project_dir, revision=initial.revision)
    return ModelDownloader(purpose=Purpose.INITIAL_MODEL, settings=settings)


def make_published_baseline(config: PipelineConfig, project_dir: str) -> ModelDownloader:
    """Returns the node that downloads the newest published model, to compare with."""
    settings = _download_settings(config, config.publish.repo_id, project_dir)
    return ModelDownloader(purpose=Purpose.BASELINE_MODEL, settings=settings)


def located_model(model: ModelSettings, project_dir: str) -> tuple[ModelSettings, list[str]]:
    """Returns `model` with its folders' paths made absolute, and a hash of each folder's files.

    Args:
        model: whose `preset` and `tokenizer_path` may name folders.
        project_dir: folder of this project where the component will run.
    """
    named = {"preset": model.preset, "tokenizer_path": model.tokenizer_path}
    folders = {name: path for name, path in named.items() if path and Path(path).is_dir()}
    hashes = [folder_fingerprint(Path(absolute(path))) for path in folders.values()]
    return model.model_copy(update={name: absolute(path, project_dir) for name, path in folders.items()}), hashes


def folder_fingerprint(folder: Path) -> str:
    """Returns a hash of the names, sizes and times of a folder's files: TFX's cache sees only the folder's path.

    Times stand in for contents, which may be gigabytes of weights.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def custom_code_fingerprint(config: PipelineConfig) -> str:
    """Returns a hash of the user's own prompt format and model family; "" if there are none."""
    return reference_fingerprint([config.data.prompt_format, config.model.family])


def embedded_hub_dir(config: PipelineConfig, project_dir: str) -> str:
    """Returns the storage folder of the embedded Hub on the machine where the components will run."""
    return str(hub_folder(absolute(config.output_dir, project_dir)))


def _download_settings(
    config: PipelineConfig, repo_id: str, project_dir: str, *, revision: str = MAIN
) -> DownloadSettings:
    publish = config.publish
    return DownloadSettings(
        repo_id=repo_id,
        revision=revision,
        endpoint=publish.endpoint,
        token_env=publish.token_env,
        storage_dir=embedded_hub_dir(config, project_dir),
        local_port=publish.local_port,
    )
