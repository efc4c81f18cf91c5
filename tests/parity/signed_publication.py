"""Publishes with a signature and checks it: `python signed_publication.py ENDPOINT MODEL_FOLDER KEY_FOLDER`."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

from publishing.hub_client import Hub
from publishing.publication import publication_of
from publishing.publisher import publish
from publishing.settings import PublishSettings
from publishing.signing import key_signer
from publishing.verification import verify_revision

REPO_ID = "local/signed"
SETTINGS = PublishSettings(repo_id=REPO_ID, license="cc0-1.0", storage_dir="", exports=("ctranslate2",))
MOMENT = datetime(2026, 11, 21, 12, tzinfo=UTC)


def main(endpoint: str, model: Path, keys: Path) -> dict[str, object]:
    """What happens, step by step."""
    hub = Hub(HfApi(endpoint=endpoint, token="local"), token_env="HF_TOKEN")

    def published(key: str | None, minutes: int) -> list[object]:
        signer = key_signer({"KEY": str(keys / f"{key}.pem")}, variable="KEY") if key else None
        publication = publication_of(model, SETTINGS, signer=signer)
        result = publish(hub, publication, clock=lambda: MOMENT + timedelta(minutes=minutes))
        return [result.revision, result.already_published]

    def checked(key: str, revision: str = "main") -> str:
        return verify_revision(hub, REPO_ID, revision=revision, public_key=keys / f"{key}.pub.pem").render()

    steps: dict[str, object] = {
        "signed": published("mine", 0),
        "again": published("mine", 1),
        "with another key": published("other", 2),
        "with the first key once more": published("mine", 3),
        "unsigned": published(None, 4),
    }
    steps["checked"] = checked("mine", "v20261121-120000")
    steps["checked with another key"] = checked("other", "v20261121-120000")
    steps["the format's own command"] = own_command(hub, keys / "mine.pub.pem")
    hub.api.create_branch(REPO_ID, branch="spoilt", revision="v20261121-120000")
    hub.api.create_commit(
        REPO_ID, [CommitOperationAdd("prompt.json", b"{}")], commit_message="by hand", revision="spoilt"
    )
    steps["spoilt"] = checked("mine", "spoilt")
    return steps


def own_command(hub: Hub, public_key: Path) -> str:
    """What model-signing itself says of a downloaded copy."""
    folder = Path(hub.api.snapshot_download(REPO_ID, revision="v20261121-120000", local_dir=public_key.parent / "copy"))
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder)]
    options = ["--signature", str(folder / "model.sig"), "--public_key", str(public_key)]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    return (result.stdout + result.stderr).strip()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))) + "\n")
