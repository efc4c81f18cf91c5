"""Makes ``.venv`` from the lock file, starting from a bare ``python3``; a second call finds it ready and
returns.

Standard library only, and written for old interpreters too, so that an unsupported one reads a sentence, not
a traceback.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
UV_VENV = os.path.join(ROOT, ".uv")
STAMP = os.path.join(VENV, ".ready")
PYTHON = "3.11"
UV = "uv==0.13.9"
# What the quickstart and the tests need, and what one may ask for besides.
ALWAYS = ("datasets", "demo", "hub", "prepare", "serving")
EXTRAS = ("gpu", "jax", "jax-gpu", "onnx", "signing")
# What decides about the environment; a change of any makes it anew.
INPUTS = (
    "pyproject.toml",
    "uv.lock",
    "bootstrap.py",
    "compat/tfx-bsl-sql-util/src/tfx_bsl/arrow/sql_util.py",
)


class SetupError(Exception):
    """One sentence for the user."""


def main():
    try:
        extras = read_extras(os.environ.get("EXTRAS", ""))
        check_platform(platform.system(), platform.machine())
        wanted = fingerprint(extras)
        if read_stamp() != wanted:
            install(find_uv(), extras)
            with open(STAMP, "w") as file:
                file.write(wanted)
    except SetupError as error:
        sys.exit("setup: {}".format(error))


def read_extras(text):
    """Returns the extras named in `text`, with spaces or commas between them."""
    extras = sorted(set(text.replace(",", " ").split()))
    unknown = [extra for extra in extras if extra not in EXTRAS]
    if unknown:
        raise SetupError("EXTRAS takes {}. Received: {}.".format(", ".join(EXTRAS), " ".join(unknown)))
    return extras


def check_platform(system, machine):
    """Refuses what TFX has no wheels for."""
    if (system, machine) != ("Linux", "x86_64"):
        raise SetupError(
            "TFX and TensorFlow Text have wheels for Linux on x86_64 only. Received: {} on {}. "
            "Use a Linux machine, container or WSL 2.".format(system, machine)
        )


def fingerprint(extras):
    """Returns a hash of everything that decides about the environment."""
    digest = hashlib.sha256(" ".join(extras).encode())
    for name in INPUTS:
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def read_stamp():
    """Returns the fingerprint of the environment that is there, or nothing."""
    if not os.path.exists(STAMP):
        return ""
    with open(STAMP) as file:
        return file.read()


def find_uv():
    """Returns the path of uv: our own, made with pip in a small virtual environment of its own."""
    uv = os.path.join(UV_VENV, "bin", "uv")
    if os.path.exists(uv):
        return uv
    if sys.version_info < (3, 8):
        raise SetupError(
            "Set-up needs a python3 of 3.8 or later to start from. Received: {}.".format(platform.python_version())
        )
    say("fetching uv")
    try:
        call([sys.executable, "-m", "venv", "--clear", UV_VENV])
        call([os.path.join(UV_VENV, "bin", "python"), "-m", "pip", "install", "--quiet", UV])
    except subprocess.CalledProcessError as error:
        shutil.rmtree(UV_VENV, ignore_errors=True)
        raise SetupError(
            "uv could not be installed: `{}` failed with exit status {}. python3 needs its venv module (Debian: "
            "apt-get install python3-venv) and a package registry.".format(" ".join(error.cmd), error.returncode)
        ) from None
    return uv


def install(uv, extras):
    """Brings ``.venv`` in line with the lock file."""
    say("installing the locked packages into .venv (about 4 GB, a few minutes the first time)")
    command = [uv, "sync", "--frozen", "--quiet", "--python", PYTHON]
    # Compiled once here instead of at each start: TensorFlow's import takes 8 s instead of 19 s.
    command.append("--compile-bytecode")
    for extra in [*ALWAYS, *extras]:
        command += ["--extra", extra]
    try:
        call(command)
    except subprocess.CalledProcessError as error:
        raise SetupError(
            "The environment could not be made: `uv sync` failed with exit status {}. It needs CPython {}, which uv "
            "finds on PATH or downloads, and a package registry.".format(error.returncode, PYTHON)
        ) from None


def call(command):
    environment = dict(os.environ, UV_PROJECT_ENVIRONMENT=VENV)
    environment.pop("VIRTUAL_ENV", None)
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


def say(text):
    sys.stderr.write("setup: {}\n".format(text))


if __name__ == "__main__":
    main()
