"""The card's snippets, run as they stand against what was published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hub import server
from pipeline.components.hf_pusher.connection import loopback_client
from pipeline.components.hf_pusher.publication import publication_of
from pipeline.components.hf_pusher.publisher import publish
from tests.publish.publishing import REPO_ID, hub_at, noon
from tests.publish.trained_model import ANSWER, train_model

PARITY_PYTHON = Path(__file__).parents[2] / ".venv-parity" / "bin" / "python"
TITLES = ("KerasHub:", "CTranslate2 ", "TensorFlow ")
RUN_ALL = f"""
import contextlib, io, json, sys
printed = {{}}
for title, snippet in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(snippet, title, "exec"), {{}})
    printed[title] = output.getvalue()
import keras_hub
backbone = keras_hub.models.GPT2Backbone.from_preset("hf://{REPO_ID}")
printed["hf://"] = f"{{backbone.num_layers}} layer of {{backbone.hidden_dim}}"
print(json.dumps(printed))
"""


@dataclass(frozen=True)
class OnTheHub:
    """A published model, and its card as a visitor reads it."""

    endpoint: str
    revision: str
    card: str

    def snippet(self, title: str) -> str:
        """The Python under the line that begins with `title`."""
        _, _, after = self.card.partition(f"\n{title}")
        return after.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnTheHub]:
    folder = tmp_path_factory.mktemp("published")
    model = train_model(folder / "model")
    publication = publication_of(model, repo_id=REPO_ID, license="cc0-1.0", endpoint="local")
    with loopback_client(), server.running(folder / "hub", port=0) as endpoint:
        hub = hub_at(endpoint)
        result = publish(hub, publication, clock=noon)
        card = hub.read_file(REPO_ID, path="README.md", commit=result.revision).decode()
        yield OnTheHub(endpoint, result.revision, card)


@pytest.fixture(scope="module")
def printed(published: OnTheHub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each snippet prints; one process runs them all, for TensorFlow takes seconds to import."""
    snippets = {title: published.snippet(title) for title in TITLES}
    result = _run(Path(sys.executable), RUN_ALL, published, tmp_path_factory.mktemp("home"), stdin=json.dumps(snippets))
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("title", ["KerasHub:", "CTranslate2 ", "TensorFlow "])
def test_a_snippet_prints_the_answer(printed: dict[str, str], title: str) -> None:
    assert printed[title] == f"{ANSWER}\n"


def test_kerashub_loads_the_weights_from_the_repositorys_root(printed: dict[str, str]) -> None:
    assert printed["hf://"] == "1 layer of 32"


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
def test_the_transformers_snippet_prints_the_answer(published: OnTheHub, tmp_path: Path) -> None:
    result = _run(PARITY_PYTHON, published.snippet("Transformers:"), published, tmp_path)
    assert result.stdout == f"{ANSWER}\n"


def _run(
    python: Path, code: str, published: OnTheHub, home: Path, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs `code` as a reader of the card would, with HF_ENDPOINT set to the local Hub."""
    settings = {"HF_ENDPOINT": published.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    result = subprocess.run(
        [python, "-c", code], env=os.environ | settings, input=stdin, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result
