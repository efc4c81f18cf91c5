"""The origin of a model, for its report: the run, the code, and the rows as one number."""

from __future__ import annotations

import hashlib
import logging
import re
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modules.fingerprint import fingerprint

RUN_ID_VARIABLE = "PIPELINE_RUN_ID"  # a runner may set it
# Open-source Kubeflow's addresses: <store>/v2/artifacts/<pipeline>/<run>/<component>/…
_KUBEFLOW_RUN = re.compile(r"/v2/artifacts/[^/]+/([^/]+)/")
_GIT_SECONDS = 10

logger = logging.getLogger(__name__)


def provenance(
    environment: Mapping[str, str],
    *,
    run_folder: str,
    rows: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    project: Path = Path(__file__).parents[1],
) -> dict[str, Any]:
    """Returns the origin of a model, as `training.json` states it.

    Args:
        environment: variables of the process.
        run_folder: where the run writes; its address names the run where no variable does.
        rows: prompts and responses, by split.
        project: folder of this project.
    """
    return {
        "run_id": run_id(environment, run_folder),
        "code": code_version(project),
        "rows_sha256": {split: rows_sha256(*texts) for split, texts in rows.items()},
    }


def run_id(environment: Mapping[str, str], run_folder: str) -> str | None:
    """Returns the run's name: the runner's, Kubeflow's, or the number of the execution in TFX's metadata store."""
    named = environment.get(RUN_ID_VARIABLE, "").strip()
    if named:
        return named
    on_kubeflow = _KUBEFLOW_RUN.search(run_folder)
    if on_kubeflow:
        return on_kubeflow[1]
    number = Path(run_folder).name
    return f"execution {number}" if number.isdecimal() else None


def code_version(project: Path) -> dict[str, str | None]:
    """Returns the project's version, a hash of the code that trains, and the git commit where there is a checkout.

    A commit that ends with ``+changes`` is not all: tracked files were edited since.
    """
    pyproject = project / "pyproject.toml"
    version = (
        tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"] if pyproject.is_file() else None
    )
    return {
        "version": version,
        "modules_sha256": fingerprint("modules.trainer"),
        "git_commit": _git_commit(project),
    }


def rows_sha256(prompts: Sequence[str], responses: Sequence[str]) -> str:
    """Returns one number for all rows, whatever their order: the sha256 of the rows' own sha256, sorted.

    A row is hashed as the length of its prompt in bytes (8 bytes, big-endian), the prompt, and the response, both in
    UTF-8. A row that is there twice counts twice.
    """
    digests = sorted(_row_sha256(*row) for row in zip(prompts, responses, strict=True))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _row_sha256(prompt: str, response: str) -> bytes:
    encoded = prompt.encode()
    return hashlib.sha256(len(encoded).to_bytes(8) + encoded + response.encode()).digest()


def _git_commit(project: Path) -> str | None:
    if not (project / ".git").exists():
        return None
    try:
        commit = _git(project, "rev-parse", "HEAD")
        changes = _git(project, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError) as error:
        logger.info("The git commit is not known: %s", error)
        return None
    return f"{commit}+changes" if changes else commit


def _git(project: Path, *command: str) -> str:
    result = subprocess.run(
        ["git", "-C", str(project), *command], capture_output=True, text=True, check=True, timeout=_GIT_SECONDS
    )
    return result.stdout.strip()
