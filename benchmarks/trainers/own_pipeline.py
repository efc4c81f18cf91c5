"""This project's input pipeline, run by a job file: tokenise, mask, pack, and every batch of one epoch."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from benchmarks.trainers.job import answer, memory_mb, read_job, read_pairs
from modules.text.tokenizer import load_tokenizer
from modules.training.dataset import PackedBatches, tokenize_examples


def main(arguments: Sequence[str]) -> int:
    """Answers with seconds of each stage and the memory that they added."""
    job = read_job(arguments)
    prompts, responses = read_pairs(job.rows)
    tokenizer, length = load_tokenizer(Path(job.tokenizer)), job.sequence_length or job.sizes.context
    before, times = memory_mb("VmRSS"), [time.perf_counter()]
    examples = tokenize_examples(prompts, responses, tokenizer, sequence_length=length)
    times.append(time.perf_counter())
    batches = PackedBatches(examples, sequence_length=length, batch_size=job.batch_size)
    times.append(time.perf_counter())
    for index in range(len(batches)):
        batches.batch(0, index)
    times.append(time.perf_counter())
    names = ("tokenise and mask", "pack", "batches")
    answer(
        {
            "rows": len(prompts),
            "seconds": {name: end - begin for name, begin, end in zip(names, times, times[1:], strict=False)},
            "added_mb": memory_mb("VmHWM") - before,
            "padding": batches.report().pad_fraction,
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
