"""Precision, instruction set and matrix libraries with which CTranslate2 computes answers on this machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import ctranslate2

_LOAD = "import sys, ctranslate2; ctranslate2.Generator(sys.argv[1], device='cpu')"
_LOGGED = re.compile(r"- (Selected ISA|SGEMM backend|GEMM_S8 backend): (\w+)")
_LIBRARIES = {"DNNL": "oneDNN"}  # CTranslate2's name of a library: the library's own


@dataclass(frozen=True)
class Arithmetic:
    """Precision, instruction set and libraries of a loaded model."""

    compute_type: str  # such as "int8_float32": 8-bit weights, everything else in float32
    instruction_set: str  # such as "AVX2"
    byte_products: str  # the library that multiplies 8-bit matrices
    float_products: str  # the library that multiplies the others

    @classmethod
    def of(cls, generator: ctranslate2.Generator, folder: Path) -> Arithmetic:
        """Returns the arithmetic of a generator that was loaded from `folder`."""
        logged = dict(_LOGGED.findall(_loading_log(folder)))
        return cls(
            compute_type=generator.compute_type,
            instruction_set=logged["Selected ISA"],
            byte_products=_library(logged["GEMM_S8 backend"]),
            float_products=_library(logged["SGEMM backend"]),
        )

    def sentence(self) -> str:
        """Returns one line for a page's foot and for a log."""
        libraries = f"{self.float_products} multiplies matrices"
        if self.compute_type.startswith("int8") and self.byte_products != self.float_products:
            libraries = f"{self.byte_products} multiplies 8-bit matrices, {self.float_products} the others"
        return (
            f"Answers are computed in {self.compute_type} by CTranslate2 {ctranslate2.__version__} "
            f"with {self.instruction_set} instructions; {libraries}."
        )


def _loading_log(folder: Path) -> str:
    """Returns what CTranslate2 logs when it loads the model: it tells instruction set and libraries nowhere else, and
    only to a process that has not loaded anything before."""
    environment = os.environ | {"CT2_VERBOSE": "1"}
    command = [sys.executable, "-c", _LOAD, str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr


def _library(name: str) -> str:
    return _LIBRARIES.get(name, name)
