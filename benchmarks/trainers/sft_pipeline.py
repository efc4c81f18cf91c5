"""TRL's input pipeline, run by a job file: what SFTTrainer does with rows before it trains, then a pass over them.

`datasets.map` with the fast tokenizer over prompts and completions, completion mask, TRL's packing (best fit,
decreasing), and the data loader with TRL's collator.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

from dataclasses import replace

import datasets  # type: ignore[import-not-found]

from benchmarks.trainers.job import Sizes, answer, memory_mb, read_job
from benchmarks.trainers.sft_trainer import make_dataset, make_trainer

# SFTTrainer wants a model to be made; the smallest there is.
SMALLEST = Sizes(num_layers=1, num_heads=1, hidden_dim=2, intermediate_dim=2)


def main(arguments: Sequence[str]) -> int:
    """Answers with seconds of each stage and the memory that they added."""
    given = read_job(arguments)
    datasets.disable_caching()
    job = replace(given, sizes=replace(SMALLEST, context=given.sizes.context))
    rows = len(make_dataset(job.rows))
    with tempfile.TemporaryDirectory() as folder:
        before, times = memory_mb("VmRSS"), [time.perf_counter()]
        trainer = make_trainer(job, folder)
        times.append(time.perf_counter())
        loader = trainer.get_train_dataloader()
        computed = real = 0
        for batch in loader:
            computed += job.batch_size * (job.sequence_length or 1024)
            real += batch["input_ids"].numel()
        times.append(time.perf_counter())
    answer(
        {
            "rows": rows,
            "seconds": {"tokenise, mask, pack": times[1] - times[0], "batches": times[2] - times[1]},
            "added_mb": memory_mb("VmHWM") - before,
            "padding": 1 - real / computed,
        }
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
