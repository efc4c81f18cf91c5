"""``python -m pipeline.report``; see :mod:`pipeline.report.command`."""

from __future__ import annotations

import os
import sys

from pipeline.report.command import main

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["show", *arguments]
    sys.exit(main(arguments, os.environ))
