"""Settings that libraries read once, when they are first imported: before any test module is."""

from __future__ import annotations

import os

# The local Hub stores files itself; huggingface_hub would otherwise look for the Hub's chunk store.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
