"""A task of a fresh process: shows progress, and writes to descriptor 2 as TensorFlow's C++ code does."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any

from modules.processes import serve
from modules.progress import PartsProgress


def tell(task: dict[str, Any]) -> dict[str, Any]:
    os.write(2, b"a banner of TensorFlow\n")
    warnings.warn("for programmers", stacklevel=1)
    logging.getLogger("modules.training").warning("The checkpoint could not be written.")
    logging.getLogger("elsewhere").warning("of a library")
    with PartsProgress("exporting", total=2) as progress:
        for part in task["parts"]:
            progress.begin(part)
    return {"terminal": progress.console.is_terminal, "width": progress.console.width}


if __name__ == "__main__":
    serve(sys.argv[1:], tell, task_type=dict)
