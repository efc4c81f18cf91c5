"""The message after Ctrl-C: whether the next run starts clean, or where it goes on."""

from __future__ import annotations

from pathlib import Path

from modules.training.checkpoints import has_checkpoints, step_saved_by
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
    if finished and config.enable_cache:
        return f"the next run takes from cache what is finished, up to {finished[-1]}"
    # A training that an earlier run left, if it is this one, would go on; only the Trainer knows which one is.
    return f"the next run starts {'as this one did' if has_checkpoints(_checkpoints(config)) else 'clean'}"


def _next_training(config: PipelineConfig, run_id: str) -> str:
    step = step_saved_by(_checkpoints(config), run_id)
    if step is not None:
        return f"with these settings, the next run goes on with the training from its checkpoint of step {step:,}"
    start = "where this one did" if has_checkpoints(_checkpoints(config)) else "anew"
    every = config.training.checkpoint_every_steps
    return (
        f"this run wrote no checkpoint (training.checkpoint_every_steps is {every:,}), so the next one starts the "
        f"training {start}"
    )


def _checkpoints(config: PipelineConfig) -> Path:
    """Returns the folder of all trainings' checkpoints."""
    chosen = config.training.checkpoint_dir
    return Path(absolute(chosen)) if chosen else checkpoints_folder(config.output_dir, config.pipeline_name)
