"""Prints what of this project is in memory after each module was imported alone: ``python -m … MODULE MODULE``."""

from __future__ import annotations

import importlib
import json
import sys

from modules.fingerprint import PACKAGES


def main(modules: list[str]) -> None:
    import keras  # noqa: F401
    import keras_hub  # noqa: F401
    import tensorflow_model_analysis  # noqa: F401
    import tfx.components  # noqa: F401

    found = {}
    for module in modules:
        for name in of_the_project():
            del sys.modules[name]
        importlib.import_module(module)
        found[module] = of_the_project()
    sys.stdout.write(json.dumps(found) + "\n")


def of_the_project() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in PACKAGES]


if __name__ == "__main__":
    main(sys.argv[1:])
