"""A run that hangs in Trainer after a step's checkpoint: ``python -m tests.pipeline.waiting_run STEP FLAGS``.

Without TFX, and with STEP 0 without a checkpoint.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from modules.training.checkpoints import CheckpointFolder
from pipeline.config import PipelineConfig
from pipeline.layout import checkpoints_folder
from pipeline.local.command import run_command
from pipeline.local.console import Console
from tests.report.made_run import RUNNING, MadeStore

STARTED = "waiting"


def main(step: int, flags: list[str]) -> int:
    def run_pipeline(config: PipelineConfig, console: Console, run_id: str) -> None:
        made = MadeStore(Path(config.output_dir), config.pipeline_name)
        console.started("Trainer")
        made.execute(run_id, "Trainer", state=RUNNING)
        root = checkpoints_folder(config.output_dir, config.pipeline_name)
        if step:
            checkpoints = CheckpointFolder(root, fingerprint="f" * 64, keep=2, run_id=run_id)
            checkpoints.save(step, {"weights": np.zeros(1)}, {})
        console.line(STARTED)
        time.sleep(120)

    return run_command(flags, {}, run_pipeline)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
