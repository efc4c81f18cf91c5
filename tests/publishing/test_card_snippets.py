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
from huggingface_hub import HfApi

from hub import server
from publishing.client_settings import loopback_client
from publishing.exports import EXPORTS
from publishing.publication import publication_of
from publishing.publisher import publish
from publishing.settings import PublishSettings
from tests.publishing.publications import REPO_ID, hub_at, noon
from tests.publishing.trained_model import ANSWER

PARITY_PYTHON = Path(__file__).parents[2] / ".venv-parity" / "bin" / "python"
TITLES = ("KerasHub:", "CTranslate2 (8-bit", "CTranslate2 (float32", "TensorFlow ", "ONNX ")
PROMPT = "### Instruction:\nName the capital of France.\n\n### Response:\n"
# Of all files of a revision; "" is that of .gitattributes, of the variables' parts and of a Modelfile.
SUFFIXES = {
    *(".json", ".md", ".txt", ".safetensors", ".h5", ".bin", ".pb", ".index", ".data-00000-of-00001", ".gguf", ".onnx"),
    "",
}
RUN_ALL = f"""
import contextlib, io, json, sys
printed = {{}}
for title, snippet in json.load(sys.stdin).items():
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(snippet, title, "exec"), {{}})
    printed[title] = output.getvalue()
import keras_hub
import numpy as np
from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer
backbone = keras_hub.models.GPT2Backbone.from_preset("hf://{REPO_ID}")
printed["backbone"] = f"{{backbone.num_layers}} layer of {{backbone.hidden_dim}}"
model = keras_hub.models.GPT2CausalLM.from_preset("hf://{REPO_ID}", preprocessor=None)
model.compile(sampler="greedy")
tokenizer = Tokenizer.from_file(hf_hub_download("{REPO_ID}", "tokenizer.json"))
ids = tokenizer.encode({PROMPT!r}).ids
room = 64 - len(ids)
tokens = {{"token_ids": np.array([ids + [0] * room]), "padding_mask": np.array([[1] * len(ids) + [0] * room])}}
written = model.generate(tokens, stop_token_ids=[tokenizer.token_to_id("<|endoftext|>")])
printed["whole model"] = tokenizer.decode(written["token_ids"][0][written["padding_mask"][0] == 1][len(ids):])
model = keras_hub.models.GPT2CausalLM.from_preset("hf://{REPO_ID}")
model.compile(sampler="greedy")
model.preprocessor.add_start_token = False
printed["with its own tokenizer"] = model.generate({PROMPT!r}, max_length=64)
print(json.dumps(printed))
"""


@dataclass(frozen=True)
class OnTheHub:
    """A published model, and its card as a visitor reads it."""

    endpoint: str
    revision: str
    commit: str
    card: str
    base: Path  # what the adapter was trained on

    def snippet(self, title: str) -> str:
        """The Python under the line that begins with `title`."""
        _, _, after = self.card.partition(f"\n{title}")
        return after.partition("```python\n")[2].partition("```")[0]


@pytest.fixture(scope="module")
def published(trained_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnTheHub]:
    folder = tmp_path_factory.mktemp("published")
    settings = PublishSettings(
        repo_id=REPO_ID, license="cc0-1.0", storage_dir=str(folder / "hub"), exports=tuple(EXPORTS)
    )
    publication = publication_of(trained_model, settings)
    with loopback_client(), server.running(folder / "hub", port=0) as endpoint:
        hub = hub_at(endpoint)
        result = publish(hub, publication, clock=noon)
        card = hub.read_file(REPO_ID, path="README.md", commit=result.revision).decode()
        yield OnTheHub(endpoint, result.revision, result.commit, card, trained_model.with_name("base"))


@pytest.fixture(scope="module")
def printed(published: OnTheHub, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each snippet prints; one process runs them all, for TensorFlow takes seconds to import."""
    snippets = {title: published.snippet(title) for title in TITLES}
    result = _run(Path(sys.executable), RUN_ALL, published, tmp_path_factory.mktemp("home"), stdin=json.dumps(snippets))
    return dict(json.loads(result.stdout.splitlines()[-1]))


@pytest.mark.parametrize("title", TITLES)
def test_a_snippet_prints_the_answer(printed: dict[str, str], title: str) -> None:
    assert printed[title] == f"{ANSWER}\n"


def test_kerashub_loads_backbone_and_whole_model_from_the_repositorys_root(printed: dict[str, str]) -> None:
    assert printed["backbone"] == "1 layer of 32"
    assert printed["whole model"] == ANSWER
    # It writes on, but reads the prompt's line feeds otherwise than the model learnt them, as the card says.
    assert printed["with its own tokenizer"].startswith(PROMPT)


def test_nothing_that_is_published_runs_code_when_it_is_loaded(published: OnTheHub, tmp_path: Path) -> None:
    api = HfApi(endpoint=published.endpoint, token=False)
    folder = Path(api.snapshot_download(REPO_ID, revision=published.revision, local_dir=tmp_path / "copy"))
    files = [path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts]

    assert len(files) > 20
    assert {path.suffix for path in files} <= SUFFIXES
    for path in files:
        content = path.read_bytes()
        assert not content.startswith((b"\x80", b"PK")), f"{path.name} is a pickle or an archive"
        # Python code in a SavedModel would be a function called by name from the graph.
        assert b"PyFunc" not in content


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
def test_transformers_loads_each_revision_by_name_and_main_by_none(published: OnTheHub, tmp_path: Path) -> None:
    code = f"""
from transformers import AutoModelForCausalLM, AutoTokenizer
for revision in ("{published.revision}", "{published.commit}", "main", None):
    named = {{"revision": revision}} if revision else {{}}
    model = AutoModelForCausalLM.from_pretrained("{REPO_ID}", **named)
    tokens = AutoTokenizer.from_pretrained("{REPO_ID}", **named)({PROMPT!r}, return_tensors="pt")
    print(type(model).__name__, model.num_parameters(), tokens["input_ids"].shape[1])
"""
    lines = _run(PARITY_PYTHON, code, published, tmp_path).stdout.splitlines()
    assert len(lines) == 4
    assert lines == [lines[0]] * 4
    assert lines[0].startswith("GPT2LMHeadModel ")


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
@pytest.mark.parametrize("title", ["Transformers:", "PEFT "])
def test_a_snippet_for_pytorch_prints_the_answer(published: OnTheHub, tmp_path: Path, title: str) -> None:
    result = _run(PARITY_PYTHON, published.snippet(title), published, tmp_path)
    assert result.stdout == f"{ANSWER}\n"


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
def test_transformers_chats_in_the_bytes_of_the_training(published: OnTheHub, tmp_path: Path) -> None:
    code = f"""
import json
from transformers import AutoTokenizer, pipeline
question = [{{"role": "user", "content": "Name the capital of France."}}]
turns = [*question, {{"role": "assistant", "content": "a<|endoftext|>b"}}, {{"role": "user", "content": "Why?"}}]
tokenizer = AutoTokenizer.from_pretrained("{REPO_ID}")
options = {{"tokenize": False, "add_generation_prompt": True}}
prompts = [tokenizer.apply_chat_template(each, **options) for each in (question, turns)]
answer = pipeline("text-generation", model="{REPO_ID}")(question)[0]["generated_text"][-1]["content"]
print(json.dumps([*prompts, answer]))
"""
    first, turns, answer = json.loads(_run(PARITY_PYTHON, code, published, tmp_path).stdout.splitlines()[-1])
    assert first == PROMPT
    assert turns == f"{PROMPT}a<| endoftext |>b<|endoftext|>### Instruction:\nWhy?\n\n### Response:\n"
    assert answer == ANSWER


@pytest.mark.parity
@pytest.mark.skipif(not PARITY_PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`")
def test_the_adapters_base_answers_otherwise(published: OnTheHub, tmp_path: Path) -> None:
    code = published.snippet("Transformers:").replace(f'"{REPO_ID}"', repr(str(published.base)))
    assert _run(PARITY_PYTHON, code, published, tmp_path).stdout != f"{ANSWER}\n"


def _run(
    python: Path, code: str, published: OnTheHub, home: Path, *, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Runs `code` as a reader of the card would, with HF_ENDPOINT set to the local Hub."""
    settings = {"HF_ENDPOINT": published.endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "0"}
    result = subprocess.run(
        [python, "-c", code], env=os.environ | settings, input=stdin, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result
