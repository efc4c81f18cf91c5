"""Bringing the published model back, to compare with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from publishing.downloads import Download, download_baseline
from publishing.errors import DownloadError
from publishing.hub_client import Hub
from publishing.publication import Publication
from publishing.publisher import publish
from publishing.settings import DownloadSettings
from tests.publishing.publications import REPO_ID, noon


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_saved_model_and_the_tokenizer_of_main_come_back_as_the_trainer_left_them(
    hub: Hub, publication: Publication, model_folder: Path, tmp_path: Path
) -> None:
    published = publish(hub, publication, clock=noon)

    found = download_baseline(hub, REPO_ID, tmp_path / "model")

    assert found == Download(REPO_ID, published.main_commit, None)
    assert Download.read(tmp_path / "model") == found
    trained = files_below(model_folder)
    fetched = files_below(tmp_path / "model")
    assert fetched.pop("published.json")
    assert fetched == {
        name: trained[name]
        for name in trained
        if name.startswith("Format-Serving/") or name == "exports/transformers/tokenizer.json"
    }


def test_a_repository_that_is_not_there_is_no_error(hub: Hub, tmp_path: Path) -> None:
    found = download_baseline(hub, "local/absent", tmp_path / "model")

    assert found == Download("local/absent", None, "nothing was published to local/absent before")
    assert files_below(tmp_path / "model").keys() == {"published.json"}


def test_a_repository_without_a_saved_model_says_so(hub: Hub, tmp_path: Path) -> None:
    hub.ensure_repo(REPO_ID, repo_type="model", private=False)

    assert download_baseline(hub, REPO_ID, tmp_path).reason == f"main of {REPO_ID} holds no SavedModel"


def test_a_folder_without_a_record_has_none(tmp_path: Path) -> None:
    assert Download.read(tmp_path) is None


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
        download_baseline(hub, REPO_ID, tmp_path)
    assert not (tmp_path / "Format-Serving").exists()


@pytest.mark.parametrize(
    ("purpose", "node_id"), [("initial_model", "InitialModel"), ("baseline_model", "BaselineModel")]
)
def test_the_component_describes_one_download(purpose: str, node_id: str) -> None:
    from pipeline.components.model_downloader.component import ModelDownloader
    from pipeline.components.model_downloader.executor import Purpose

    settings = DownloadSettings(repo_id=REPO_ID, endpoint="https://hub.example")
    component = ModelDownloader(purpose=Purpose(purpose), settings=settings)

    assert component.id == node_id
    assert json.loads(component.exec_properties["settings"])["token_env"] == "HF_TOKEN"
    assert list(component.outputs) == ["model"]
    assert json.dumps(component.exec_properties)
