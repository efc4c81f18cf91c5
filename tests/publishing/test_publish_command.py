"""`python -m publishing`: a dry run shows the plan and touches nothing."""

from __future__ import annotations

import hashlib
import re
import time
from pathlib import Path

import pytest

from hub import server
from hub.access import Identity
from publishing.__main__ import main
from publishing.client_settings import loopback_client
from tests.publishing.fault_processes import free_port
from tests.publishing.publications import REPO_ID, SPACE_REPO_ID, TEMPLATE, TOKEN, hub_at
from tests.publishing.tiny_model import write_model


def test_a_first_dry_run_lists_everything_and_makes_nothing(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(model_folder, tmp_path, "--dry-run") == 0

    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"model {REPO_ID} @ v\d{{8}}-\d{{6}}: new repository, public", lines[0])
    weights = (model_folder / "exports/ctranslate2/model.bin").read_bytes()
    digest = hashlib.sha256(weights).hexdigest()[:12]
    assert f"  new     {len(weights):>14,}  {digest}  ctranslate2/model.bin" in lines
    assert f"space {SPACE_REPO_ID}, sdk gradio: new repository, public" in lines
    assert lines[-2:] == ["old revisions: all stay", "Dry run: nothing was changed."]
    assert list(tmp_path.iterdir()) == []


def test_a_later_dry_run_shows_what_would_change_and_changes_nothing(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(model_folder, tmp_path, "--license", "apache-2.0") == 0
    first = re.fullmatch(rf"{REPO_ID} is published as (v\S+), commit \w{{40}}\n", capsys.readouterr().out)
    assert first is not None
    before = _contents(tmp_path)
    time.sleep(1.1)  # a revision is named by its second

    exports = ("--exports", "transformers", "ctranslate2")
    assert _run(model_folder, tmp_path, "--dry-run", "--license", "mit", "--keep-revisions", "1", *exports) == 0

    lines = capsys.readouterr().out.splitlines()
    size = (model_folder / "exports/keras/model.weights.h5").stat().st_size
    assert f"  delete  {size:>14,}{'':<16}keras/model.weights.h5" in lines
    assert {"+license: mit", '-MODEL_VERSION = "' + first[1] + '"'} <= set(lines)
    assert f"old revisions: the newest 1 stay; would be deleted: {first[1]}" in lines
    assert _contents(tmp_path) == before


def test_a_dry_run_of_what_is_published_says_so(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = ("--local-port", str(free_port()))
    _run(model_folder, tmp_path, *port)
    _run(model_folder, tmp_path, "--dry-run", *port)

    output = capsys.readouterr().out
    assert re.search(rf"model {REPO_ID} @ v\S+: published already, commit \w{{40}}\n", output)
    assert "; at most 0 to send" in output
    assert "+++" not in output


def test_publishing_twice_says_so(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("is published as", "was published already as"):
        assert _run(model_folder, tmp_path) == 0
        assert words in capsys.readouterr().out


def test_only_the_chosen_exports_are_published(model_folder: Path, tmp_path: Path) -> None:
    assert _run(model_folder, tmp_path, "--exports", "ctranslate2") == 0
    with server.running(tmp_path / "hub", port=0) as address:
        paths = {file.path for file in hub_at(address).tree(REPO_ID, repo_type="model", commit="main")}
    assert paths == {
        ".gitattributes", "README.md", "manifest.json", "prompt.json", "tokenizer.json", "training.json",
        "ctranslate2/config.json", "ctranslate2/model.bin", "ctranslate2/vocabulary.json",
    }  # fmt: skip


def test_a_space_without_its_export_is_refused(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(model_folder, tmp_path, "--exports", "keras") == 1
    assert capsys.readouterr().err == (
        "The Space answers with the export ctranslate2. Received: keras. Add ctranslate2, or publish no Space.\n"
    )


def test_an_incomplete_model_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = write_model(tmp_path / "model")
    (model / "exports" / "ctranslate2" / "model.bin").rename(tmp_path / "elsewhere")
    for file in (model / "exports" / "ctranslate2").iterdir():
        file.unlink()
    assert _run(model, tmp_path, "--dry-run") == 1
    assert "without exports/ctranslate2/. Run the Trainer again, or name other exports." in capsys.readouterr().err


def test_a_token_that_may_not_write_is_refused_before_anything_is_sent(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Identity("local", "read", frozenset({"local"}))
    monkeypatch.setenv("PUBLISHING_TOKEN", TOKEN)
    with server.running(tmp_path / "hub", port=0, authenticate=lambda token: reader) as endpoint, loopback_client():
        options = ("--endpoint", endpoint, "--token-env", "PUBLISHING_TOKEN")

        assert _run(model_folder, tmp_path, *options) == 1
        refused = capsys.readouterr()
        assert _run(model_folder, tmp_path, *options, "--dry-run") == 1
        planned = capsys.readouterr()

    heading, model, space = refused.err.splitlines()
    assert heading == "Nothing was published: 2 problems."
    assert model == (
        "  1. --repo-id must name a model repository that the token in PUBLISHING_TOKEN may write to. "
        f"Received: {REPO_ID} on {endpoint}, a repository that has to be created, "
        "and a token of local that may only read. Make one with the role write."
    )
    assert space.startswith("  2. --space-repo-id must name a space repository that the token in PUBLISHING_TOKEN may")
    assert refused.out == ""
    assert planned.err.splitlines()[-4:] == [
        "Dry run: nothing was changed.", "It would be refused: 2 problems.", model, space
    ]  # fmt: skip
    assert TOKEN not in refused.err + planned.err
    assert list((tmp_path / "hub" / "models").rglob("*")) == []


def test_a_token_that_may_write_publishes_elsewhere(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with server.running(tmp_path / "hub", port=0) as endpoint, loopback_client():
        assert _run(model_folder, tmp_path, "--endpoint", endpoint, "--dry-run") == 0
        assert capsys.readouterr().out.endswith("\nDry run: nothing was changed.\n")
        assert _run(model_folder, tmp_path, "--endpoint", endpoint) == 0


def _run(model_folder: Path, folder: Path, *more: str) -> int:
    return main(
        [
            *("--model-dir", str(model_folder), "--repo-id", REPO_ID, "--space-repo-id", SPACE_REPO_ID),
            *("--space-template", str(TEMPLATE), "--storage-dir", str(folder / "hub"), "--local-port", "0", *more),
        ]
    )


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
