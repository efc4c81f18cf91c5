"""Compiles the pipeline for Kubeflow Pipelines 2, and runs and schedules it there.

    python kubeflow_runner.py compile --profile gpt2_base --output pipeline.yaml
    python kubeflow_runner.py submit --profile gpt2_base
    python kubeflow_runner.py schedule --profile gpt2_base --cron "0 3 * * 1"
    python kubeflow_runner.py runs
    python kubeflow_runner.py unschedule

Every field of the configuration is a flag of each command, as of local_runner.py; docs/kubeflow.md tells the way from
an empty cluster to a weekly run. `tfx ... --engine kubeflow` does not work: TFX 1.21 imports a module that it deleted.
"""

from __future__ import annotations

import os
import sys

from pipeline.kubeflow.runner import run_command

if __name__ == "__main__":
    sys.exit(run_command(sys.argv[1:], os.environ))
