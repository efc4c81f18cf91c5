"""The folders of a run's results, all below one output folder.

The folders:

    <output_dir>/tfx/<pipeline_name>/                    artifacts, by component
    <output_dir>/tfx/<pipeline_name>/checkpoints/        of a training that has not ended
    <output_dir>/metadata/<pipeline_name>/metadata.db    ML Metadata (SQLite)
    <output_dir>/hub/                                    the embedded Hub's repositories
    <output_dir>/logs/<run_id>.log                       everything that was logged
    <output_dir>/reports/<run_id>/index.html             a page about the run
"""

from __future__ import annotations

from pathlib import Path

# Checkpoints of trainings that have not ended, from a Trainer's <root>/Trainer/model_run/<execution>.
CHECKPOINTS = "../../../checkpoints"
LOCK = "run.lock"  # beside the metadata store


def absolute(path: str, project_dir: str = "") -> str:
    """Returns `path` from `project_dir` (empty: the working directory), unless it is an address such as gs://bucket/folder."""
    return path if "://" in path else str(Path(project_dir, Path(path).expanduser()).absolute())


def pipeline_root(output_dir: str, pipeline_name: str) -> Path:
    """Returns the folder of the artifacts."""
    return Path(absolute(output_dir)) / "tfx" / pipeline_name


def executor_folder(pipeline_root: Path, node_id: str, execution_id: int) -> Path:
    """Returns where TFX keeps the executor's output of one execution, also of one that failed."""
    return pipeline_root / node_id / ".system" / "executor_execution" / str(execution_id)


def checkpoints_folder(output_dir: str, pipeline_name: str) -> Path:
    """Returns the folder of the checkpoints of trainings that have not ended, unless training.checkpoint_dir names
    another."""
    return pipeline_root(output_dir, pipeline_name) / "checkpoints"


def metadata_path(output_dir: str, pipeline_name: str) -> Path:
    """Returns the SQLite file of ML Metadata."""
    return Path(absolute(output_dir)) / "metadata" / pipeline_name / "metadata.db"


def lock_path(output_dir: str, pipeline_name: str) -> Path:
    """Returns the file that is locked while a run writes to the two above."""
    return metadata_path(output_dir, pipeline_name).with_name(LOCK)


def hub_folder(output_dir: str) -> Path:
    """Returns the storage folder of the embedded Hub."""
    return Path(absolute(output_dir)) / "hub"


def log_path(output_dir: str, run_id: str) -> Path:
    """Returns the log of one run."""
    return Path(absolute(output_dir)) / "logs" / f"{run_id}.log"


def reports_folder(output_dir: str) -> Path:
    """Returns the folder of the runs' pages."""
    return Path(absolute(output_dir)) / "reports"
