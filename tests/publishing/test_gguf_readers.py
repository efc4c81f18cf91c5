"""What reads GGUF files and Modelfiles: llama.cpp by Node, and Go's own templates. In `make test-parity`."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pytest
from tokenizers import Tokenizer

from modules.exports.gguf import file_name
from modules.exports.ollama import go_template
from modules.models.gpt2 import numpy_gpt2
from modules.models.matrix import FloatMatrix
from modules.prompts import ALPACA, DOCUMENT, PromptFormat
from modules.proving.answers import log_softmax
from modules.proving.stored_weights import rounded_to_float16, rounded_to_q8_0
from tests.publishing.test_card_snippets import OnTheHub, published  # noqa: F401 - a fixture
from tests.publishing.trained_model import ANSWER

PARITY = Path(__file__).parents[1] / "parity"
GO = Path(__file__).parents[2] / ".venv-parity" / "bin" / "go"
NEW_TOKENS, PROMPTS = 12, 100
CONVERSATIONS = [
    [("user", "Name a fruit.")],
    [("user", "äöü {{ .Prompt }} %s\n\n"), ("assistant", " a\nb "), ("user", "🙂")],
    [("system", "Be brief."), ("user", "Why?")],
    [("user", "1"), ("assistant", "2"), ("user", "3"), ("assistant", "4"), ("user", "5")],
]
pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not GO.exists(), reason="needs .venv-parity: run `make test-parity`"),
]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with llama.cpp for Node."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on this machine")
    folder = tmp_path_factory.mktemp("node") / "llama_cpp"
    shutil.copytree(PARITY / "llama_cpp", folder)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-progress", "--ignore-scripts", "--omit=optional"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def run_node(folder: Path, *arguments: str | Path) -> str:
    done = subprocess.run(["node", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Asked:
    """What llama.cpp made of every prompt, and what the checkpoint does."""

    prompts: list[str]
    answers: list[dict[str, list[int]]]
    template: str
    network: numpy_gpt2.Network
    rounded: numpy_gpt2.Network
    tokenizer: Tokenizer

    @property
    def end_token(self) -> int:
        return self.tokenizer.get_vocab_size() - 1

    def chosen(self, index: int) -> list[int]:
        """The answer with its end, if it has one."""
        answer = self.answers[index]["answer"]
        return answer if len(answer) == NEW_TOKENS else [*answer, self.end_token]

    def log_probabilities(self, network: numpy_gpt2.Network, index: int) -> np.ndarray:
        """float32 [steps, V], of each choice after the ones before."""
        chosen = self.chosen(index)
        return log_softmax(network.logits([*self.answers[index]["tokens"], *chosen[:-1]], last=len(chosen)))


@dataclass(frozen=True)
class RoundedProducts:
    """A matrix and what it is multiplied by, both rounded."""

    rounding: Callable[[np.ndarray], FloatMatrix]
    weight: np.ndarray

    def rows(self, indices: Sequence[int]) -> np.ndarray:
        return self.rounding(self.weight).rows(indices)

    def product(self, x: np.ndarray) -> np.ndarray:
        return self.rounding(self.weight).product(self.rounding(x).weight)


ROUNDINGS: dict[str, Callable[[np.ndarray], FloatMatrix]] = {
    "F32": FloatMatrix,
    "F16": rounded_to_float16,
    "Q8_0": rounded_to_q8_0,
}


@pytest.fixture(scope="module", params=["F32", "F16", "Q8_0"])
def asked(request: pytest.FixtureRequest, trained_model: Path, node: Path) -> Asked:
    exports = trained_model / "exports"
    network = numpy_gpt2.read_checkpoint(exports / "transformers")
    tokenizer = Tokenizer.from_file(str(exports / "transformers" / "tokenizer.json"))
    numbers = random.Random(5)
    words = [
        "Name",
        "the",
        "capital",
        "of",
        "France",
        "  two spaces",
        "I'll",
        "12345",
        "\n\n",
        "héllo",
        "🙂",
        "\t",
        "x.y",
    ]
    questions = ["".join(numbers.choices([" ", *words], k=numbers.randint(1, 9))) for _ in range(PROMPTS - 1)]
    prompts = [ALPACA.format("Name the capital of France."), *questions]
    file = node / "asked.json"
    end_token = tokenizer.get_vocab_size() - 1
    file.write_text(json.dumps({"prompts": prompts, "newTokens": NEW_TOKENS, "endToken": end_token}))
    weights = request.param
    folder = {"F32": "gguf_float32", "F16": "gguf_float16", "Q8_0": "gguf"}[weights]
    found = json.loads(run_node(node, "ask.mjs", exports / folder / file_name(weights), file).splitlines()[-1])
    rounded = numpy_gpt2.read_checkpoint(
        exports / "transformers", matrix=lambda weight: RoundedProducts(ROUNDINGS[weights], weight)
    )
    return Asked(prompts, found["answers"], found["template"], network, rounded, tokenizer)


def test_llama_cpp_parts_texts_as_the_tokenizer_does(asked: Asked) -> None:
    assert [answer["tokens"] for answer in asked.answers] == [asked.tokenizer.encode(p).ids for p in asked.prompts]


def test_llama_cpp_answers_what_was_learnt(asked: Asked) -> None:
    assert asked.tokenizer.decode(asked.answers[0]["answer"]) == ANSWER


def test_llama_cpp_gives_the_checkpoints_greedy_answers(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = [asked.log_probabilities(asked.network, index) for index in range(PROMPTS)]
    # llama.cpp looks GELU up in a table of float16, and multiplies rounded weights by rounded activations. As far as
    # that moves a token's log-probability here, a choice may fall otherwise there.
    gelu = numpy_gpt2.gelu
    monkeypatch.setattr(numpy_gpt2, "gelu", lambda x: gelu(x.astype(np.float16).astype(np.float32)))
    moved = [
        np.abs(asked.log_probabilities(asked.rounded, index) - expected).max() for index, expected in enumerate(exact)
    ]
    lost = [
        (expected.max(-1) - expected[np.arange(len(expected)), asked.chosen(index)]).max()  # nats
        for index, expected in enumerate(exact)
    ]
    assert [asked.prompts[index] for index in range(PROMPTS) if lost[index] > 2 * moved[index]] == []
    assert sum(each > 0 for each in lost) <= PROMPTS // 20


def test_the_file_holds_the_chat_template(asked: Asked) -> None:
    assert asked.template == ALPACA.published_chat_template()


@pytest.mark.parametrize(
    "title", ["llama.cpp (GGUF with 8", "llama.cpp (GGUF with float16", "llama.cpp (GGUF with float32"]
)
def test_a_snippet_prints_the_answer(published: OnTheHub, node: Path, title: str) -> None:  # noqa: F811
    from huggingface_hub import snapshot_download

    _, _, after = published.card.partition(f"\n{title}")
    snippet = after.partition("```javascript\n")[2].partition("```")[0]
    folder = snippet.partition('--include "')[2].partition("/")[0]
    repo_id, revision = (snippet.partition(before)[2].split()[0] for before in ("hf download ", "--revision "))
    patterns = [f"{folder}/*"]
    snapshot_download(
        repo_id, revision=revision, allow_patterns=patterns, local_dir=node, endpoint=published.endpoint, token=False
    )
    (node / "snippet.mjs").write_text(snippet)
    assert run_node(node, "snippet.mjs").strip().splitlines()[-1] == ANSWER


def rendered_by_go(template: str, conversations: Sequence[Any]) -> list[str]:
    asked = {
        "Template": template,
        "Conversations": [[{"Role": role, "Content": text} for role, text in each] for each in conversations],
    }
    command = [GO, "run", PARITY / "ollama" / "main.go"]
    environment = os.environ | {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, input=json.dumps(asked), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.parametrize("prompt_format", [ALPACA, DOCUMENT], ids=lambda each: each.name)
def test_ollamas_template_makes_the_training_bytes(prompt_format: PromptFormat) -> None:
    template = jinja2.Environment(autoescape=False).from_string(prompt_format.published_chat_template())
    expected = [
        template.render(messages=[{"role": role, "content": text} for role, text in each], add_generation_prompt=True)
        for each in CONVERSATIONS
    ]
    assert expected[0] == prompt_format.format(CONVERSATIONS[0][0][1])
    assert rendered_by_go(go_template(prompt_format), CONVERSATIONS) == expected
