"""Accuracy and speed of 8-bit weights, by how they are rounded, by matrix library and by instruction set.

    python -m benchmarks.int8_arithmetic MODEL_FOLDER [--turns 3]

Prints a table, one line per way of rounding and per arithmetic. Distance is that of the logits (less their mean) of 16
rows of 24 random tokens from the float32 form's; speed that of 8 greedy answers of 48 tokens at once, with one thread
and two, the median of turns that go through all lines alternately.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from modules.proving.rounding import logits_distance

PROJECT = Path(__file__).parents[1]
# What is published, and what else could be: CTranslate2's own rounding to ±127; the same weights read as float32.
WAYS: Mapping[str, tuple[str | None, str]] = {
    "float32": (None, "float32"),
    "two largest of a row 128 together (published)": ("int8", "int8"),
    "the same read as float32": ("int8", "float32"),
    "largest of a row 127 (CTranslate2's own)": ("int8_float32", "int8"),
}
ARITHMETICS: tuple[Mapping[str, str], ...] = (
    {"CT2_USE_MKL": "0"},
    {"CT2_USE_MKL": "1"},
    {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "GENERIC"},
    {"CT2_USE_MKL": "1", "CT2_FORCE_CPU_ISA": "GENERIC"},
    {"CT2_USE_MKL": "0", "CT2_FORCE_CPU_ISA": "AVX2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
)
ROWS, LENGTH, ANSWERS, ANSWER_TOKENS = 16, 24, 8, 48


class Measured(NamedTuple):
    """The figures of one process."""

    logits: np.ndarray  # float32 [rows, length, V]
    tokens_per_second: float


def main(arguments: Sequence[str]) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8_arithmetic", description=__doc__)
    parser.add_argument("model_folder", type=Path, help="a Trainer's model artifact")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args(list(arguments))
    with tempfile.TemporaryDirectory() as folder:
        folders = write_forms(options.model_folder / "exports/keras", Path(folder))
        sys.stdout.write(table(folders, turns=options.turns))


def write_forms(preset: Path, folder: Path) -> dict[str, Path]:
    """Writes the generators and returns their folders by how they are stored."""
    from modules.exports import TrainedModel
    from modules.exports.ctranslate2 import write
    from modules.models.gpt2.weights import load_preset

    backbone, tokenizer = load_preset(str(preset), dropout=0.0, dtype="float32")
    folders = {}
    for stored in {stored for stored, _ in WAYS.values()}:
        folders[str(stored)] = folder / str(stored)
        write(TrainedModel(backbone, tokenizer), folders[str(stored)], quantization=stored)
    return folders


def table(folders: Mapping[str, Path], *, turns: int) -> str:
    """Measures every line `turns` times, alternately."""
    lines = [(way, arithmetic, threads) for way in WAYS for arithmetic in ARITHMETICS for threads in (1, 2)]
    found: dict[int, list[Measured]] = {number: [] for number in range(len(lines))}
    for _ in range(turns):
        for number, (way, arithmetic, threads) in enumerate(lines):
            stored, computed = WAYS[way]
            found[number].append(measure(folders[str(stored)], computed, threads, arithmetic))
    reference = found[0][0].logits
    rows = [
        "| weights | arithmetic | threads | distance | same choice | tokens/s |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number, (way, arithmetic, threads) in enumerate(lines):
        logits = found[number][0].logits
        distance = logits_distance(list(reference), list(logits))
        same = (logits.argmax(-1) == reference.argmax(-1)).mean()
        speed = statistics.median(measured.tokens_per_second for measured in found[number])
        words = " ".join(f"{name}={value}" for name, value in arithmetic.items())
        rows.append(f"| {way} | {words} | {threads} | {distance:.5f} | {same:.1%} | {speed:.0f} |")
    return "\n".join(rows) + "\n"


def measure(folder: Path, computed: str, threads: int, arithmetic: Mapping[str, str]) -> Measured:
    """Asks a generator in a process of its own, which chooses its arithmetic once."""
    with tempfile.TemporaryDirectory() as out:
        answer = Path(out, "answer.npz")
        command = [sys.executable, "-m", __spec__.name, "--ask", str(folder), computed, str(threads), str(answer)]
        subprocess.run(command, cwd=PROJECT, env=os.environ | arithmetic, check=True)
        with np.load(answer) as arrays:
            return Measured(arrays["logits"], float(arrays["speed"]))


def ask(folder: str, computed: str, threads: str, out: str) -> None:
    """Writes logits and speed."""
    import ctranslate2

    generator = ctranslate2.Generator(folder, device="cpu", compute_type=computed, intra_threads=int(threads))
    vocabulary = json.loads(Path(folder, "vocabulary.json").read_text(encoding="utf-8"))
    ids = np.random.default_rng(0).integers(0, len(vocabulary), (ROWS, LENGTH)).tolist()
    logits = np.asarray(generator.forward_batch(ids), np.float32)
    prompts = [[vocabulary[token] for token in row] for row in ids[:ANSWERS]]
    options = {"max_length": ANSWER_TOKENS, "min_length": ANSWER_TOKENS, "sampling_topk": 1}
    generator.generate_batch(prompts, **options)  # the first call makes its buffers
    started = time.perf_counter()
    generator.generate_batch(prompts, **options)
    np.savez(out, logits=logits, speed=ANSWERS * ANSWER_TOKENS / (time.perf_counter() - started))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        ask(*sys.argv[2:])
    else:
        main(sys.argv[1:])
