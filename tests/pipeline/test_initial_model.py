from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hub.server import running
from pipeline import disk_checks
from pipeline.config import PipelineConfig
from pipeline.config.sources import ConfigError, load_config
from pipeline.initial_model import HubRevision, hub_revision, pinned
from pipeline.initial_model_checks import initial_model_problems
from pipeline.layout import hub_folder
from publishing.downloads import initial_model_files
from publishing.errors import HubError

GPT2 = {"model_type": "gpt2", "vocab_size": 300, "n_layer": 1, "n_head": 2, "n_embd": 32, "n_positions": 64}
FILES = ("config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt")
COMMIT = "0123456789" * 4


def config_for(output: Path, preset: str, *arguments: str) -> PipelineConfig:
    port = ["--publish.local-port", "8923"]
    return load_config(["--output-dir", str(output), "--model.preset", preset, *port, *arguments], {})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An output folder whose Hub holds one revision, and its commit."""
    output = tmp_path_factory.mktemp("hub") / "output"
    with running(hub_folder(str(output)), port=8924) as endpoint:
        api = HfApi(endpoint=endpoint, token="any")
        api.create_repo("local/tiny")
        contents = {"config.json": json.dumps(GPT2)} | dict.fromkeys(FILES[1:], "x")
        files = [CommitOperationAdd(name, text.encode()) for name, text in contents.items()]
        commit = api.create_commit("local/tiny", files, commit_message="one").oid
        api.create_tag("local/tiny", tag="v1")
    return output, commit


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("hub:me/model", HubRevision("me/model", "main")),
        ("hub:me/model@v20261122-033627", HubRevision("me/model", "v20261122-033627")),
        (f"hub:me/model@{COMMIT}", HubRevision("me/model", COMMIT)),
        ("gpt2_base_en", None),
        ("hf://me/model", None),
        (None, None),
    ],
)
def test_a_preset_may_name_a_revision(preset: str | None, expected: HubRevision | None) -> None:
    assert hub_revision(preset) == expected
    if expected:
        assert expected.is_pinned == (expected.revision == COMMIT)


def test_a_misspelt_one_is_refused_with_the_configuration(tmp_path: Path) -> None:
    for preset in ("hub:model", "hub:me/model@", "hub:me/model@a b"):
        with pytest.raises(ConfigError, match=r"hub:namespace/name@revision.* Received: model\.preset='hub:"):
            config_for(tmp_path, preset)


@pytest.mark.parametrize("revision", ["", "@main", "@v1"])
def test_a_branch_becomes_its_commit_before_the_run(published: tuple[Path, str], revision: str) -> None:
    output, commit = published
    assert pinned(config_for(output, f"hub:local/tiny{revision}")).model.preset == f"hub:local/tiny@{commit}"


def test_what_cannot_move_is_left_alone(tmp_path: Path) -> None:
    for preset in (f"hub:local/tiny@{COMMIT}", "gpt2_base_en", "none"):
        config = config_for(tmp_path, preset)
        assert pinned(config) is config


def test_an_absent_revision_is_an_error(published: tuple[Path, str]) -> None:
    with pytest.raises(HubError, match="look up v2 of"):
        pinned(config_for(published[0], "hub:local/tiny@v2"))


def test_preflight_asks_the_hub_for_the_models_context(published: tuple[Path, str]) -> None:
    output, _ = published
    fits = ("--training.sequence-length", "64", "--generation.max-new-tokens", "8")
    assert list(initial_model_problems(config_for(output, "hub:local/tiny", *fits))) == []
    (problem,) = initial_model_problems(config_for(output, "hub:local/tiny", "--generation.max-new-tokens", "8"))
    assert problem.startswith("training.sequence_length cannot exceed")
    assert "Received: 128; model.preset has a context of 64" in problem
    (absent,) = initial_model_problems(config_for(output, "hub:local/other"))
    assert absent.startswith("model.preset: ")
    assert "Received: model.preset='hub:local/other'." in absent


def test_a_folders_problems_are_found_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GPT2))
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    (problem,) = initial_model_problems(config_for(tmp_path / "output", str(tmp_path)))
    assert problem.startswith("model.preset: Weights are read from safetensors only")
    assert (
        disk_checks.parameter_count(config_for(tmp_path, str(tmp_path)))
        == (300 + 64) * 32 + 12 * 32**2 + 13 * 32 + 2 * 32
    )


def test_of_a_repository_the_smallest_set_that_makes_a_model_is_wanted() -> None:
    shards = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json")
    preset = ("keras/config.json", "keras/model.weights.h5")
    assert initial_model_files([*FILES, "README.md", "saved_model/x", *preset]) == (
        "config.json", "merges.txt", "model.safetensors", "vocab.json"
    )  # fmt: skip
    assert initial_model_files(["config.json", *shards, "tokenizer.json"]) == ("config.json", *shards, "tokenizer.json")
    assert initial_model_files(["README.md", *preset]) == preset
    assert initial_model_files(["config.json", "pytorch_model.bin", "vocab.json", "merges.txt"]) == ()


def test_a_quantised_base_needs_adapters_and_a_rank_fits_the_heads(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"quantized_base=int4, training\.lora_rank=0"):
        config_for(tmp_path, "gpt2_base_en", "--training.quantized-base", "int4")
    with pytest.raises(ConfigError, match=r"lora_rank=33, a head of 32"):
        config_for(tmp_path, "none", "--training.lora-rank", "33")
    assert config_for(tmp_path, "none", "--training.lora-rank", "33", "--training.lora-targets", "output")
