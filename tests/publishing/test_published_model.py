"""Bringing the published model back, to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.components.hf_pusher.hub_client import Hub
from pipeline.components.hf_pusher.publication import Publication
from pipeline.components.hf_pusher.publisher import publish
from pipeline.components.published_model.download import DownloadError, PublishedFiles, download_published
from tests.publish.publishing import REPO_ID, noon


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_saved_model_and_the_tokenizer_of_main_come_back_as_the_trainer_left_them(
    hub: Hub, publication: Publication, model_folder: Path, tmp_path: Path
) -> None:
    published = publish(hub, publication, clock=noon)

    found = download_published(hub, REPO_ID, tmp_path / "model")

    assert found == PublishedFiles(REPO_ID, published.main_commit, None)
    assert PublishedFiles.read(tmp_path / "model") == found
    trained = files_below(model_folder)
    fetched = files_below(tmp_path / "model")
    assert fetched.pop("published.json")
    assert fetched == {
        name: trained[name]
        for name in trained
        if name.startswith("Format-Serving/") or name == "exports/transformers/tokenizer.json"
    }


def test_a_repository_that_is_not_there_is_no_error(hub: Hub, tmp_path: Path) -> None:
    found = download_published(hub, "local/absent", tmp_path / "model")

    assert found == PublishedFiles("local/absent", None, "nothing was published to local/absent before")
    assert files_below(tmp_path / "model").keys() == {"published.json"}


def test_a_repository_without_a_saved_model_says_so(hub: Hub, tmp_path: Path) -> None:
    hub.ensure_repo(REPO_ID, repo_type="model", private=False)

    assert download_published(hub, REPO_ID, tmp_path).reason == f"main of {REPO_ID} holds no SavedModel"


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    assert PublishedFiles.read(tmp_path) is None


def test_a_file_that_arrives_changed_is_refused(
    hub: Hub, publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(hub, publication, clock=noon)
    fetch = Hub.download_files

    def fetch_and_damage(self: Hub, repo_id: str, *, paths: list[str], commit: str, folder: Path) -> None:
        fetch(self, repo_id, paths=paths, commit=commit, folder=folder)
        path = folder / "saved_model/variables/variables.data-00000-of-00001"
        path.write_bytes(b"\1" + path.read_bytes()[1:])

    monkeypatch.setattr(Hub, "download_files", fetch_and_damage)

    with pytest.raises(DownloadError, match="A published file must arrive as the Hub lists it"):
        download_published(hub, REPO_ID, tmp_path)
    assert not (tmp_path / "Format-Serving").exists()


def test_the_component_describes_one_download() -> None:
    from pipeline.components.published_model.component import PublishedModel

    component = PublishedModel(repo_id=REPO_ID, endpoint="https://hub.example")

    assert component.exec_properties["token_env"] == "HF_TOKEN"
    assert list(component.outputs) == ["model"]
    assert json.dumps(component.exec_properties)
