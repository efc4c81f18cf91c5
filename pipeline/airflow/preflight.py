"""Checks everything that would make a run fail later: ``python -m pipeline.airflow.preflight [flags]``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from pipeline.config.sources import read_config
from pipeline.errors import PreflightError
from pipeline.preflight import check


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the command; returns its exit status."""
    try:
        check(read_config(arguments, environment), environment)
    except PreflightError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write("Nothing stands in the way of a run.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
