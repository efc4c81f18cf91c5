"""What Ctrl-C leaves: whether the next run starts clean, or where it goes on."""

from __future__ import annotations

from pathlib import Path

from modules.fitting.checkpoints import step_saved_by
from pipeline.config import PipelineConfig
from pipeline.layout import absolute, checkpoints_folder
from pipeline.local.console import Console


def message_of_interruption(config: PipelineConfig, console: Console, run_id: str) -> str:
    """Returns what to tell the user, in the present state of the checkpoints.

    Args:
        config: what was run.
        console: knows how far the run came.
        run_id: of the run that was interrupted.
    """
    return f"Interrupted. Nothing half-written will be used: {_next_run(config, console, run_id)}."


def _next_run(config: PipelineConfig, console: Console, run_id: str) -> str:
    if console.running == "Trainer":
        return _next_training(config, run_id)
    finished = [node.node_id for node in console.finished_nodes]
    if not finished or not config.enable_cache:
        return "the next run starts clean"
    return f"the next run takes from cache what is finished, up to {finished[-1]}"


def _next_training(config: PipelineConfig, run_id: str) -> str:
    training = config.training
    place = training.checkpoint_dir or checkpoints_folder(config.output_dir, config.pipeline_name)
    step = step_saved_by(Path(absolute(str(place))), run_id)
    if step is not None:
        return f"with these settings, the next run goes on with the training from its checkpoint of step {step:,}"
    every = training.checkpoint_every_steps
    when = f"the first one is written after step {every:,}" if every else "training.checkpoint_every_steps is 0"
    return f"there is no checkpoint ({when}), so the next run starts the training anew"
