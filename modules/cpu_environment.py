"""The environment of processes that compute on processors: memory that is kept between steps, and oneDNN everywhere.

All of it is read once, when a process or TensorFlow starts, so it is given to the processes that are started for
training and exporting, and cannot be set in a process that runs already. What it gives stands in docs/run-log.md.

    env $(python -m modules.cpu_environment) COMMAND
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

_GLIBC = "GLIBC_TUNABLES"
_MEBIBYTE, _GIBIBYTE = 2**20, 2**30
# glibc returns what a training step frees to the system at once, and the system fills it with zeros again for the next
# step: a third of a step's time. Memory that is kept costs none of it; in pages of 2 MiB where a program may ask for
# them, as in most systems.
TUNABLES: Mapping[str, int] = {
    "glibc.malloc.mmap_threshold": 4 * _GIBIBYTE,
    "glibc.malloc.trim_threshold": 8 * _GIBIBYTE,
    "glibc.malloc.top_pad": 256 * _MEBIBYTE,
    "glibc.malloc.hugetlb": 1,
}


def cpu_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables to add to `given`; what is set there stays as it is."""
    wanted = {
        # TensorFlow's own default is to use oneDNN only on processors with VNNI; without, it is faster too.
        "TF_ENABLE_ONEDNN_OPTS": "1",
        # TensorFlow's caching allocator, which it uses for accelerators, for processors too.
        "TF_CPU_ALLOCATOR_USE_BFC": "true",
        "TF_CPU_BFC_MEM_LIMIT_IN_MB": str(_physical_memory() // _MEBIBYTE),
    }
    return {name: value for name, value in wanted.items() if name not in given} | {_GLIBC: _tunables(given)}


def _tunables(given: Mapping[str, str]) -> str:
    """Returns glibc's settings, as ``name=value`` with colons between; those that `given` has come first and stay."""
    own = given.get(_GLIBC, "")
    names = {setting.partition("=")[0] for setting in own.split(":")}
    added = [f"{name}={value}" for name, value in TUNABLES.items() if name not in names]
    return ":".join([*([own] if own else []), *added])


def _physical_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


if __name__ == "__main__":
    sys.stdout.write(" ".join(f"{name}={value}" for name, value in cpu_environment(os.environ).items()) + "\n")
