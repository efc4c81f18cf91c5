"""`python -m publishing verify`: every file of a revision against its manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd

from publishing.__main__ import main
from publishing.errors import SigningError
from publishing.hub_client import Hub
from publishing.publication import Publication
from publishing.publisher import publish
from publishing.signing import key_signer
from publishing.verification import verify_folder, verify_revision
from tests.publishing.publications import REPO_ID, REVISION, noon


def test_a_published_revision_is_as_published(hub: Hub, publication: Publication) -> None:
    published = publish(hub, publication, clock=noon)
    for revision in ("main", REVISION, published.commit):
        verified = verify_revision(hub, REPO_ID, revision=revision)
        size = sum(file.size_bytes for file in published.plan.files if file.path != "manifest.json")
        count = len(published.plan.files) - 1
        assert verified.render() == f"{REVISION}: {count} files, {size:,} bytes, all as published; not signed"


def test_every_file_that_was_changed_added_or_taken_away_is_named(
    hub: Hub, publication: Publication, tmp_path: Path
) -> None:
    publish(hub, publication, clock=noon)
    folder = Path(hub.api.snapshot_download(REPO_ID, local_dir=tmp_path / "copy"))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + b"?")
    (folder / "config.json").write_bytes(b"{")
    (folder / "prompt.json").unlink()
    (folder / "new.txt").write_text("new")

    problems = verify_folder(folder).problems

    assert len(problems) == 4
    assert problems[0].startswith("config.json: 1 bytes instead of ")
    assert problems[1].startswith("model.safetensors: sha256 ")
    assert problems[2:] == ("prompt.json: missing", "new.txt: not in the manifest")


def test_the_command_tells_good_from_bad_by_its_status(
    hub: Hub, publication: Publication, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    published = publish(hub, publication, clock=noon)
    asked = ["verify", REPO_ID, "--endpoint", hub.endpoint, "--token-env", "NO_SUCH_TOKEN"]
    assert main(asked) == 0
    assert "all as published; not signed" in capsys.readouterr().out

    hub.api.create_commit(REPO_ID, [CommitOperationAdd("config.json", b"{}  ")], commit_message="by hand")
    assert main(asked) == 1
    assert main([*asked, "--revision", published.revision]) == 0
    assert main([*asked, "--folder", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert errors.startswith("Not as published: 1 problems\n  config.json: 4 bytes instead of ")
    assert errors.endswith("  manifest.json: missing, or not a manifest of this publisher\n")


def test_a_repository_that_is_not_there_is_named(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "local/nothing", "--endpoint", hub.endpoint, "--token-env", "NO_SUCH_TOKEN"]) == 1
    assert "The Hub must accept the request to look up main of local/nothing." in capsys.readouterr().err


def test_a_key_demands_a_signature(hub: Hub, publication: Publication, tmp_path: Path) -> None:
    publish(hub, publication, clock=noon)
    assert verify_revision(hub, REPO_ID, public_key=tmp_path / "key.pem").problems == (
        "model.sig: missing, and a key was given",
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "the environment variable SIGNING_KEY is empty. Set SIGNING_KEY to the path of a PEM file"),
        ({"SIGNING_KEY": "/nowhere/key.pem"}, r"/nowhere/key.pem \(FileNotFoundError\). Make one: openssl ecparam"),
        ({"SIGNING_KEY": __file__}, r"test_verify.py \(ValueError\). Make one"),
    ],
)
def test_a_key_that_cannot_sign_is_named_with_the_way_out(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SigningError, match=message):
        key_signer(environment, variable="SIGNING_KEY")
