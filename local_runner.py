"""Runs the pipeline on this machine.

    python local_runner.py                                    the quickstart profile
    python local_runner.py --profile gpt2_base                another one
    python local_runner.py --training.learning-rate 1e-3      any field; --help explains them all

``tfx run create --engine local`` runs this file without arguments; the environment (GPT2_ALPACA_PROFILE,
GPT2_ALPACA_TRAINING__LEARNING_RATE, …) can choose the same things.
"""

from __future__ import annotations

import gc
import os
import sys

from pipeline.config import PipelineConfig
from pipeline.local.command import run_command
from pipeline.local.console import Console
from pipeline.local.imports import heavy_imports


def run_pipeline(config: PipelineConfig, console: Console, run_id: str) -> None:
    """Runs what `config` describes. Imports TFX only here, so that wrong settings are refused within a
    second."""
    with console.importing("TensorFlow, Beam and TFX"), heavy_imports():
        from pipeline.local.dag_runner import NEVER_CACHED, ObservedDagRunner
        from pipeline.pipeline import create_pipeline

    runner = ObservedDagRunner(observer=console, run_id=run_id, never_cached=NEVER_CACHED)
    pipeline = create_pipeline(config)
    console.planned({node.id: sorted(before.id for before in node.upstream_nodes) for node in pipeline.components})
    runner.run(pipeline)


def main(arguments: list[str]) -> int:
    """Runs the command; returns its exit status."""
    return run_command(arguments, os.environ, run_pipeline)


if __name__ == "__main__":
    status = main(sys.argv[1:])
    gc.freeze()  # Python would look through everything that was imported for garbage before it exits: 3 s
    sys.exit(status)
