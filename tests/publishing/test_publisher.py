from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationDelete, HfApi

from publishing.errors import HubError
from publishing.hub_client import Hub
from publishing.publication import Publication
from publishing.publisher import publish
from publishing.revision_names import MAIN
from tests.publishing.publications import (
    REPO_ID,
    REVISION,
    SPACE_REPO_ID,
    TOKEN,
    hub_at,
    noon,
    publication_of,
)


def test_a_model_becomes_a_dated_revision_and_main_has_the_same_files(hub: Hub, publication: Publication) -> None:
    published = publish(hub, publication, clock=noon)

    assert published.revision == REVISION
    assert not published.already_published
    branches = hub.branches(REPO_ID, repo_type="model")
    assert branches == {MAIN: published.main_commit, REVISION: published.commit}
    for commit in branches.values():
        assert published.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=commit)) == []
    assert published.url == f"{hub.endpoint}/{REPO_ID}/tree/{REVISION}"


def test_what_is_downloaded_again_has_the_checksums_that_were_planned(
    hub: Hub, publication: Publication, tmp_path: Path
) -> None:
    published = publish(hub, publication, clock=noon)
    folder = Path(
        HfApi(endpoint=hub.endpoint, token=False).snapshot_download(
            REPO_ID, revision=published.revision, local_dir=tmp_path / "copy"
        )
    )

    for file in published.plan.files:
        assert hashlib.sha256((folder / file.path).read_bytes()).hexdigest() == file.sha256
    downloaded = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert downloaded == {file.path for file in published.plan.files} | {".gitattributes"}


def test_the_same_model_is_not_published_twice(hub: Hub, publication: Publication) -> None:
    first = publish(hub, publication, clock=noon)
    commits = hub.api.list_repo_commits(REPO_ID)
    space_commits = hub.api.list_repo_commits(SPACE_REPO_ID, repo_type="space")

    second = publish(hub, publication, clock=lambda: noon() + timedelta(hours=1))

    assert second.already_published
    assert (second.revision, second.commit, second.space) == (first.revision, first.commit, first.space)
    assert hub.api.list_repo_commits(REPO_ID) == commits
    assert hub.api.list_repo_commits(SPACE_REPO_ID, repo_type="space") == space_commits
    assert set(hub.branches(REPO_ID, repo_type="model")) == {MAIN, REVISION}


def test_a_changed_model_gets_a_revision_of_its_own_and_main_and_the_space_follow(
    hub: Hub, publication: Publication, model_folder: Path, tmp_path: Path
) -> None:
    first = publish(hub, publication, clock=noon)
    changed = tmp_path / "changed"
    shutil.copytree(model_folder, changed)
    (changed / "exports/keras/model.weights.h5").write_bytes(b"other weights")
    (changed / "exports/transformers/config.json").rename(changed / "exports/transformers/renamed.json")

    second = publish(hub, publication_of(changed), clock=lambda: noon() + timedelta(hours=1))

    assert second.revision == "v20261121-130000"
    branches = hub.branches(REPO_ID, repo_type="model")
    assert branches == {
        MAIN: second.main_commit,
        REVISION: first.commit,
        "v20261121-130000": second.commit,
    }
    main_tree = hub.tree(REPO_ID, repo_type="model", commit=MAIN)
    assert second.plan.differences(main_tree) == []
    assert "config.json" not in {file.path for file in main_tree}
    assert first.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=REVISION)) == []
    assert second.space is not None
    assert f'SHA = "{second.commit}"' in _space_file(hub, "app.py")


def test_another_card_is_another_revision(hub: Hub, model_folder: Path) -> None:
    publish(hub, publication_of(model_folder), clock=noon)
    second = publish(hub, publication_of(model_folder, license="cc-by-nc-4.0"), clock=noon)
    assert (second.revision, second.already_published) == ("v20261121-120001", False)


def test_the_space_pins_the_models_commit_and_its_own_commit_names_it(hub: Hub, publication: Publication) -> None:
    published = publish(hub, publication, clock=noon)

    assert published.space is not None
    newest = hub.api.list_repo_commits(SPACE_REPO_ID, repo_type="space")[0]
    assert newest.commit_id == published.space.commit
    assert newest.title == f"Serve {REPO_ID}@{REVISION} at {published.commit}"
    app = _space_file(hub, "app.py")
    assert f'MODEL_REPO_ID = "{REPO_ID}"' in app
    assert f'MODEL_VERSION = "{REVISION}"' in app
    assert f'SHA = "{published.commit}"' in app
    assert "$" not in app.replace("$$", "")
    assert hub.api.space_info(SPACE_REPO_ID).sdk == "gradio"


def test_a_publication_without_a_space_touches_none(hub: Hub, model_folder: Path) -> None:
    assert publish(hub, publication_of(model_folder, space=False), clock=noon).space is None
    assert list(hub.api.list_spaces()) == []


def test_a_private_publication_is_hidden_from_visitors(hub: Hub, model_folder: Path) -> None:
    publish(hub, publication_of(model_folder, private=True), clock=noon)
    assert hub.api.model_info(REPO_ID).private
    assert list(HfApi(endpoint=hub.endpoint, token=False).list_models()) == []


def test_a_taken_name_gives_way_to_the_next_second(hub: Hub, publication: Publication) -> None:
    hub.api.create_repo(REPO_ID)
    for name in (REVISION, "v20261121-120001"):
        hub.api.create_branch(REPO_ID, branch=name)

    assert publish(hub, publication, clock=noon).revision == "v20261121-120002"


def test_a_publication_that_stopped_before_main_is_finished_not_repeated(hub: Hub, publication: Publication) -> None:
    finished = publish(hub, publication, clock=noon)
    hub.api.delete_repo(SPACE_REPO_ID, repo_type="space")
    _empty_main(hub)

    resumed = publish(hub, publication, clock=lambda: noon() + timedelta(hours=1))

    assert (resumed.revision, resumed.commit, resumed.already_published) == (REVISION, finished.commit, True)
    assert resumed.plan.differences(hub.tree(REPO_ID, repo_type="model", commit=MAIN)) == []
    assert resumed.space is not None


def test_a_hub_that_is_not_there_is_named_with_the_way_out_and_without_the_token(
    direct_client: None, publication: Publication
) -> None:
    pauses: list[float] = []
    hub = hub_at("http://127.0.0.1:9", pauses=pauses)

    with pytest.raises(HubError) as caught:
        publish(hub, publication, clock=noon)
    assert str(caught.value) == (
        f"The Hub must accept the request to look for the model repository {REPO_ID}. Received: no answer "
        "(ConnectError) from http://127.0.0.1:9. Check publish.endpoint and the network, then run again."
    )
    assert TOKEN not in str(caught.value)
    assert caught.value.user_message
    assert pauses == [0.5, 1.0, 2.0, 4.0]


def test_a_clock_without_a_time_zone_is_refused(hub: Hub, publication: Publication) -> None:
    with pytest.raises(ValueError, match="needs a time zone"):
        publish(hub, publication, clock=lambda: datetime(2026, 1, 1))


def _space_file(hub: Hub, path: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = hub.api.hf_hub_download(SPACE_REPO_ID, path, repo_type="space", local_dir=folder)
        return Path(file).read_text()


def _empty_main(hub: Hub) -> None:
    """Leaves `main` as it was before the publication reached it."""
    paths = [file.path for file in hub.tree(REPO_ID, repo_type="model", commit=MAIN) if file.path != ".gitattributes"]
    hub.api.create_commit(
        REPO_ID,
        [CommitOperationDelete(path_in_repo=path, is_folder=False) for path in paths],
        commit_message="Reset",
    )
