"""What TFX's cache key cannot see of a publication: the files of the Space's template, and the publishing code."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pipeline.components.hf_pusher.space_template import read_template


def publication_fingerprint(space_template: Path | None = None) -> str:
    """A hash for HFPusher's parameter `fingerprint`: while it stays, a cached publication is still the right one."""
    files = {file.name: file.read_bytes() for file in sorted(Path(__file__).parent.glob("*.py"))}
    if space_template is not None:
        files |= {f"space/{path}": content for path, content in read_template(space_template).items()}
    digest = hashlib.sha256()
    for name, content in files.items():
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()
