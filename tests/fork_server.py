"""Starts the project's child processes by forking one process that has imported TensorFlow, Beam and TFX already.

A pipeline run starts four processes or more, and each of them imports for ten seconds what is always the same. The
fork server imports it once. It imports nothing of this project: a child reads the code below its own working folder,
with its own arguments, environment, and standard streams.

    python tests/fork_server.py LISTENER      serves on the socket with that file descriptor

:func:`fork_server` starts it and writes a stand-in for ``sys.executable``, which hands over what the server can start
and becomes the real Python for everything else: for other programs, and where a variable that libraries read when they
are imported is not what it was for the server.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

IMPORTED = (
    *("tensorflow", "tensorflow_text", "keras_hub", "tfx.v1", "tensorflow_model_analysis"),
    *("pydantic_settings", "rich.progress", "safetensors.numpy"),
)
# It reads the environment when it is imported: each child imports it itself.
CLIENT = "huggingface_hub"
# Variables of which libraries read some when they are imported. CTranslate2's are not among them: the server does not
# import it, so each child reads its own.
LIBRARIES = ("KERAS", "MKL", "OMP", "ONEDNN", "OPENBLAS", "TF_CPP", "TF_ENABLE", "TF_NUM", "XLA")
SETTINGS = ("PYTHON", *(f"{library}_" for library in LIBRARIES))
# What begins the arguments of a command that is forked.
MODULES = ("benchmarks.", "modules.", "pipeline.", "tests.")
SCRIPT = "local_runner.py"
STAND_IN = """#!{python} -IS
import sys
sys.path.insert(0, {folder!r})
import fork_server
fork_server.ask({address!r}, sys.argv, python={python!r}, settings={settings!r})
"""
_HEADER = struct.Struct("!i")


# ---------------------------------------------------------------------------------------------- Starting the server


@contextmanager
def fork_server(folder: Path) -> Iterator[Path]:
    """Starts the server, which imports only when it is first asked; gives the stand-in, which lies in `folder`."""
    address, stand_in = folder / "socket", folder / "python"
    known = {"python": sys.executable, "folder": str(Path(__file__).parent), "address": str(address)}
    stand_in.write_text(STAND_IN.format(settings=settings_in(os.environ), **known))
    stand_in.chmod(0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen()
        command = [sys.executable, __file__, str(listener.fileno())]
        server = subprocess.Popen(command, pass_fds=[listener.fileno()], stdin=subprocess.PIPE)
    try:
        yield stand_in
    finally:
        server.kill()
        server.communicate()


# ------------------------------------------------------------------------------------------------------- The client


def ask(address: str, command: Sequence[str], *, python: str, settings: Mapping[str, str]) -> None:
    """Has the server run the command, passes signals on to it, and ends as it ended.

    Args:
        address: the server's socket.
        command: the stand-in's path and its arguments.
        python: runs what the server cannot.
        settings: the server's.
    """
    if not is_forked(command[1:]) or settings_in(os.environ) != settings:
        os.execv(python, [python, *command[1:]])
    request = json.dumps({"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [_HEADER.pack(len(request))], [0, 1, 2])
        server.sendall(request)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: server.sendall(_HEADER.pack(number)))
        (status,) = _HEADER.unpack(_received(server, _HEADER.size))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    if status < 0:
        os.kill(os.getpid(), -status)
    sys.exit(status)


def is_forked(arguments: Sequence[str]) -> bool:
    """Whether the command is one of this project's."""
    return arguments[:1] == [SCRIPT] or (arguments[:1] == ["-m"] and arguments[1].startswith(MODULES))


def settings_in(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that may decide what an import does; Keras' backend with its default."""
    found = {name: value for name, value in environment.items() if name.startswith(SETTINGS)}
    return {"KERAS_BACKEND": "tensorflow"} | found


def _received(connection: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        part = connection.recv(size - len(content))
        if not part:
            raise ConnectionError("The fork server must answer. Received: the end of the connection.")
        content += part
    return content


# ------------------------------------------------------------------------------------------------------- The server


def serve(listener: socket.socket) -> dict[str, Any]:
    """Waits for requests until standard input is closed; returns each in a fork of its own."""
    import select

    forks: set[int] = set()
    while 0 not in select.select([listener, 0], [], [])[0]:
        connection, _ = listener.accept()
        _import_once()
        fork = os.fork()
        if fork == 0:
            listener.close()
            return _supervised(connection)
        connection.close()
        forks = {other for other in {*forks, fork} if os.waitpid(other, os.WNOHANG)[0] == 0}
    sys.exit()


def _import_once() -> None:
    import gc
    import inspect
    from importlib import import_module

    if not gc.isenabled():
        return
    gc.disable()  # the server makes no garbage; a fork has its own collector
    for name in IMPORTED:
        import_module(name)
    for name in [name for name in sys.modules if name.partition(".")[0] == CLIENT]:
        del sys.modules[name]
    # Pydantic asks this of each class for its fields' docstrings; the first time takes a second of looking through
    # every module for its file, which the child then knows.
    inspect.getmodule(sys._getframe())
    gc.freeze()


def _supervised(connection: socket.socket) -> dict[str, Any]:
    """Returns the request in a further fork, and here looks after that until it ends or the client does."""
    import select

    header, streams, *_ = socket.recv_fds(connection, _HEADER.size, 3)
    request = json.loads(_received(connection, *_HEADER.unpack(header)))
    process = os.fork()
    if process == 0:
        connection.close()
        _take_streams(streams)
        return dict(request)
    for stream in (*streams, 0):  # a reader waits until nobody holds the other end
        os.close(stream)
    ended = os.pidfd_open(process)
    while ended not in select.select([connection, ended], [], [])[0]:
        number = connection.recv(_HEADER.size)
        os.kill(process, *_HEADER.unpack(number) if number else (signal.SIGKILL,))
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    with suppress(OSError):  # a client that was killed
        connection.sendall(_HEADER.pack(status))
    os._exit(0)


def _take_streams(streams: Sequence[int]) -> None:
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)


def run(request: dict[str, Any]) -> None:
    """Becomes the process that was asked for, as Python itself would have started it."""
    import gc
    import runpy

    import numpy as np

    stand_in, *arguments = request["command"]
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.executable = stand_in
    sys.path.insert(0, request["folder"])
    np.random.seed()  # Python's own generator is seeded anew by each fork
    gc.enable()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    del sys.path[0]  # the tests' folder, which has a package named jax
    run(serve(socket.socket(fileno=int(sys.argv[1]))))
