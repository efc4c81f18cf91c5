"""The part of a publication that TFX's cache key cannot see: the publishing code, and the files of the Space's
template."""

from __future__ import annotations

import hashlib
from pathlib import Path

from modules.fingerprint import fingerprint
from pipeline.components.hf_pusher.executor import Executor
from publishing.space_template import read_template


def publication_fingerprint(space_template: Path | None = None) -> str:
    """Returns HFPusher's parameter `fingerprint`: while it stays, a cached publication is still the right one.

    Args:
        space_template: the folder on this machine; None where no Space is published.
    """
    digest = hashlib.sha256(fingerprint(Executor.__module__).encode())
    for path, content in read_template(space_template).items() if space_template else ():
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
