"""Settings that libraries read once, when they are first imported: before any test module is."""

from __future__ import annotations

import os
import signal

import pytest

# Large files go by LFS, whose requests many tests look into. tests/hub/test_xet.py, and what runs in a process of its
# own as a user would run it, turn this off again.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A shell has its background jobs ignore interrupts, and so would every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, whole pipeline runs come first: a long file at the end is waited for alone."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("e2e") is None)
