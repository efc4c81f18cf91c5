"""A run that starts from the model that an earlier one published, and trains adapters over a quantised base."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi
from safetensors.numpy import load_file

from hub.server import running
from tests.e2e.conftest import Finished, Place, free_port

pytestmark = pytest.mark.e2e

WARM = {
    "model__preset": "hub:local/tiny",
    "training__lora_rank": "2",
    "training__lora_targets": "query,value,feedforward",
    "training__quantized_base": "int8",
    "training__learning_rate": "0.01",
    "evaluation__enabled": "false",
    "evaluation__prove_serving": "false",
}


@pytest.fixture(scope="module")
def warm(first_run: Finished, place: Place, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Finished]:
    there = place.copy(tmp_path_factory.mktemp("warm") / "output")
    return there, there.run(**WARM)


def head(place: Place) -> str:
    with running(place.output / "hub", port=free_port()) as endpoint:
        return str(HfApi(endpoint=endpoint, token="any").model_info("local/tiny").sha)


def artifacts(place: Place, component: str) -> list[Path]:
    return sorted((place.root / component / "model").iterdir(), key=lambda path: int(path.name))


def test_adapters_are_trained_from_the_published_model(warm: tuple[Place, Finished]) -> None:
    there, run = warm
    assert run.status == 0, run.err
    assert [name for name in run.ran if name in ("InitialModel", "Trainer", "HFPusher")] == [
        "InitialModel", "Trainer", "HFPusher"
    ]  # fmt: skip
    exports = artifacts(there, "Trainer")[-1] / "exports"
    report = json.loads((exports / "training.json").read_text(encoding="utf-8"))
    # Per block: a and b of query and value (per head), and of both feed-forward kernels.
    assert report["trainable_parameters"] == 2 * (32 * 2 * 2 + 2 * 16) + (32 * 2 + 2 * 64) + (64 * 2 + 2 * 32)
    assert report["parameters"] > 10 * report["trainable_parameters"]
    assert report["model"]["preset"].startswith("hub:local/tiny@")
    assert report["model"]["hidden_dim"] == 32
    assert {path.name for path in (exports / "adapter").iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors"
    }  # fmt: skip


def test_only_what_is_needed_is_downloaded(warm: tuple[Place, Finished]) -> None:
    (start,) = artifacts(warm[0], "InitialModel")
    files = {path.relative_to(start).as_posix() for path in start.rglob("*") if path.is_file()}
    names = ("config.json", "merges.txt", "model.safetensors", "vocab.json")
    assert {file for file in files if ".cache" not in file} == {f"exports/transformers/{name}" for name in names}


def test_the_exported_model_is_the_published_one_with_the_adapters_merged(warm: tuple[Place, Finished]) -> None:
    there, _ = warm
    start = load_file(artifacts(there, "InitialModel")[0] / "exports/transformers/model.safetensors")
    end = load_file(artifacts(there, "Trainer")[-1] / "exports/transformers/model.safetensors")
    assert start.keys() == end.keys()
    changed = {name.rpartition("h.0.")[2] for name in start if not np.array_equal(start[name], end[name])}
    kernels = {f"{layer}.weight" for layer in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")}
    assert changed == kernels, "biases, norms and embeddings are frozen; kernels were rounded to int8"
    off = np.abs(end["transformer.h.0.attn.c_proj.weight"] - start["transformer.h.0.attn.c_proj.weight"]).max()
    largest = np.abs(start["transformer.h.0.attn.c_proj.weight"]).max()
    assert 0 < off <= largest / 254 * 1.01, "no adapter there: half a step of int8 at most"


def test_a_moved_branch_is_a_new_start_and_an_unmoved_one_comes_from_cache(
    warm: tuple[Place, Finished],
) -> None:
    there, _ = warm
    moved = head(there)
    again = there.run(**WARM | {"publish__enabled": "false"})
    assert "InitialModel" in again.ran
    assert "Trainer" in again.ran
    report = json.loads((artifacts(there, "Trainer")[-1] / "exports/training.json").read_text(encoding="utf-8"))
    assert report["model"]["preset"] == f"hub:local/tiny@{moved}"
    unmoved = there.run(**WARM | {"publish__enabled": "false"})
    assert "InitialModel" in unmoved.cached
    assert "Trainer" in unmoved.cached


def test_a_revision_that_is_not_there_is_told_before_anything_runs(warm: tuple[Place, Finished]) -> None:
    refused = warm[0].run(**WARM | {"model__preset": "hub:local/tiny@v19700101-000000"})
    assert refused.status == 1
    assert refused.ran == []
    assert "model.preset:" in refused.err
    assert "v19700101-000000" in refused.err
