"""Makes `.venv-hub-client`: the locked client, what its tests are run with, and in `suite/tests` those tests.

The tests are not in the client's wheel. They come from its source distribution of the same version, checked against
uv.lock, or from a folder that HUB_CLIENT_TESTS names: `tests` of a checkout of the client's repository.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
ENVIRONMENT = ROOT / ".venv-hub-client"
SUITE = ENVIRONMENT / "suite"
SOURCE_VARIABLE = "HUB_CLIENT_TESTS"
CLIENT = "huggingface_hub"


class NoTestsError(LookupError):
    """The client's tests were not found."""


def main() -> int:
    version, sha256 = locked_client((ROOT / "uv.lock").read_text(encoding="utf-8"))
    try:
        install(version)
        with tempfile.TemporaryDirectory() as folder:
            chosen = os.environ.get(SOURCE_VARIABLE)
            lay_out(Path(chosen) if chosen else download(version, sha256, Path(folder)), SUITE / "tests")
    except NoTestsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def locked_client(lock: str) -> tuple[str, str]:
    """Version of the client in a lock file, and the sha256 of its source distribution."""
    package = next(entry for entry in tomllib.loads(lock)["package"] if entry["name"] == "huggingface-hub")
    return package["version"], package["sdist"]["hash"].removeprefix("sha256:")


def install(version: str) -> None:
    uv, python = ROOT / ".uv/bin/uv", ENVIRONMENT / "bin/python"
    environment = {**os.environ, "UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))}
    requirements = HERE / "requirements.txt"
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, ENVIRONMENT],
        [uv, "pip", "install", "--quiet", "--python", python, "-r", requirements, f"{CLIENT}=={version}"],
    ):
        subprocess.run(command, check=True, cwd=ROOT, env=environment)


def download(version: str, sha256: str, folder: Path) -> Path:
    """The tests of a source distribution, unpacked in `folder`."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{CLIENT}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
    pip = [ROOT / ".uv/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
    options = ["--no-deps", "--no-binary", CLIENT, "--require-hashes", "--dest", folder, "-r", wanted]
    subprocess.run([*pip, *options], check=True)
    with tarfile.open(folder / f"{CLIENT}-{version}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"{CLIENT}-{version}" / "tests"


def lay_out(source: Path, target: Path) -> None:
    """Copies the tests to `target`, with what a source distribution leaves out.

    Raises:
        NoTestsError: `source` does not hold the client's tests.
    """
    if not (source / "test_hf_api.py").is_file():
        raise NoTestsError(
            f"The client's tests are a folder with test_hf_api.py. Received: {source}. Set {SOURCE_VARIABLE} to "
            f"`tests` of a checkout (git clone --branch vVERSION https://github.com/huggingface/huggingface_hub)."
        )
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    (target / "__init__.py").touch()
    if not (target / "conftest.py").exists():
        shutil.copy(HERE / "client_conftest.py", target / "conftest.py")


if __name__ == "__main__":
    sys.exit(main())
