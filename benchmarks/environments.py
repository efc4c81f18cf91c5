"""Virtual environments of their own for the tools that are compared with."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).parents[1]
UV = PROJECT / ".uv" / "bin" / "uv"
REQUIREMENTS = Path(__file__).parent / "requirements"


def make_environment(name: str) -> Path:
    """Returns the python of ``.venv-<name>``, made from ``requirements/<name>.txt``; a second call finds it ready."""
    folder = PROJECT / f".venv-{name}"
    python = folder / "bin" / "python"
    # uv does not know pip's name of this variable, which may point to a CPU build of PyTorch.
    links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
    environment = os.environ | ({"UV_FIND_LINKS": links} if links else {})
    requirements = REQUIREMENTS / f"{name}.txt"
    for command in (
        ["venv", "--quiet", "--allow-existing", "--python", str(PROJECT / ".venv" / "bin" / "python"), str(folder)],
        ["pip", "install", "--quiet", "--python", str(python), "--requirement", str(requirements)],
    ):
        # From elsewhere: uv would apply this project's overrides.
        subprocess.run([str(UV), *command], check=True, env=environment, cwd=tempfile.gettempdir())
    return python
