"""The precision of a training, and the instructions that a processor needs for it; without them a step takes longer."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Set
from pathlib import Path

import keras

logger = logging.getLogger(__name__)

CPU_INFO = Path("/proc/cpuinfo")
# Flags as Linux writes them, either of which is enough.
INSTRUCTIONS: Mapping[str, tuple[str, Set[str]]] = {
    "mixed_bfloat16": ("AVX-512 BF16 or AMX", {"avx512_bf16", "amx_bf16"}),
    "mixed_float16": ("AVX-512 FP16 or AMX", {"avx512_fp16", "amx_fp16"}),
}


def tell_costly_precision(precision: str) -> None:
    """Warns of a precision that no device at hand computes in.

    Args:
        precision: ``training.precision``.
    """
    if precision in INSTRUCTIONS and not _accelerators():
        costs = cost_of(precision, processor_flags())
        if costs:
            logger.warning(costs)


def cost_of(precision: str, flags: Collection[str]) -> str | None:
    """Returns what a mixed precision costs on a processor with these flags; None if it has the instructions.

    Args:
        precision: ``mixed_bfloat16`` or ``mixed_float16``.
        flags: as Linux writes them.
    """
    names, enough = INSTRUCTIONS[precision]
    if not enough.isdisjoint(flags):
        return None
    return (
        f"training.precision={precision} takes longer here than float32: it pays on GPUs, and on processors with "
        f"{names}. Received: neither. Set training.precision to float32."
    )


def processor_flags(file: Path = CPU_INFO) -> frozenset[str]:
    """Returns the flags of the first processor; none where the system does not tell."""
    if not file.is_file():
        return frozenset()
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())


def _accelerators() -> list[str]:
    return [device for device in keras.distribution.list_devices() if not device.startswith("cpu")]
