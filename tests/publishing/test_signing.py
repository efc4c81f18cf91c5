"""Signed publications, in an environment that has model-signing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.publishing.test_card_snippets import PARITY_PYTHON

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "tests" / "parity" / "signed_publication.py"

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`"),
]


@pytest.fixture
def steps(endpoint: str, model_folder: Path, tmp_path: Path) -> dict[str, object]:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("mine", "other"):
        make_key(keys, name)
    settings = {"PYTHONPATH": str(ROOT), "HF_HUB_DISABLE_XET": "0", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    command = [PARITY_PYTHON, SCRIPT, endpoint, model_folder, keys]
    result = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_a_signature_is_made_once_kept_and_checked(steps: dict[str, object]) -> None:
    first = "v20261121-120000"
    assert steps["signed"] == [first, False]
    assert steps["again"] == [first, True], "a signature is another every time, but the publication is the same"
    assert steps["with another key"] == ["v20261121-120200", False]
    assert steps["with the first key once more"] == [first, True]
    assert steps["unsigned"] == ["v20261121-120400", False]
    assert str(steps["checked"]).endswith("all as published; signed by the key of mine.pub.pem")
    assert str(steps["checked with another key"]).startswith("Not as published: 1 problems\n  model.sig: Key mismatch")
    assert steps["the format's own command"] == "Verification succeeded"
    spoilt = str(steps["spoilt"]).splitlines()
    assert spoilt[0] == "Not as published: 2 problems"
    assert spoilt[1].startswith("  prompt.json: 2 bytes instead of ")
    assert spoilt[2].startswith("  model.sig: Signature mismatch: ")


def make_key(folder: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encoding = serialization.Encoding.PEM
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)
    (folder / f"{name}.pem").write_bytes(private)
    (folder / f"{name}.pub.pem").write_bytes(public)
