"""The environment of processes that compute: what it adds, and that glibc and TensorFlow do as it says."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from modules.cpu_environment import TUNABLES, cpu_environment

NAMES = {"GLIBC_TUNABLES", "TF_ENABLE_ONEDNN_OPTS", "TF_CPU_ALLOCATOR_USE_BFC", "TF_CPU_BFC_MEM_LIMIT_IN_MB"}
# Counts the page faults of 20 arrays of 64 MB, one after the other, each freed before the next.
FAULTS = """
import resource
import numpy as np
np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_is_set_already_stays() -> None:
    own = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0:glibc.cpu.x86_ibt=off", "TF_ENABLE_ONEDNN_OPTS": "0"}

    added = cpu_environment(own)

    assert set(added) == NAMES - {"TF_ENABLE_ONEDNN_OPTS"}
    tunables = added["GLIBC_TUNABLES"].split(":")
    assert tunables[:2] == own["GLIBC_TUNABLES"].split(":")
    assert sorted(setting.partition("=")[0] for setting in tunables) == sorted([*TUNABLES, "glibc.cpu.x86_ibt"])


def test_a_second_call_adds_nothing() -> None:
    first = cpu_environment({})
    assert set(first) == NAMES
    assert cpu_environment(first) == {"GLIBC_TUNABLES": first["GLIBC_TUNABLES"]}


def test_memory_is_kept_and_not_asked_for_anew() -> None:
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}

    assert faults(plain | cpu_environment({})) * 100 < faults(plain)


def faults(environment: Mapping[str, str]) -> int:
    done = subprocess.run([sys.executable, "-c", FAULTS], env=environment, check=True, capture_output=True, text=True)
    return int(done.stdout)
