from __future__ import annotations

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

CARD = b"""---
license: cc-by-nc-4.0
library_name: keras-hub
pipeline_tag: text-generation
base_model: openai-community/gpt2
tags: [alpaca]
---
# A model
"""


def test_any_token_is_the_local_user(api: HfApi) -> None:
    identity = api.whoami()
    assert identity["name"] == "local"
    assert identity["auth"]["accessToken"]["role"] == "write"


def test_a_new_repository_has_one_commit_with_git_attributes(api: HfApi, name: str) -> None:
    created = api.create_repo(name)
    assert (created.repo_id, created.repo_type) == (name, "model")
    assert [commit.title for commit in api.list_repo_commits(name)] == ["initial commit"]
    assert api.list_repo_files(name) == [".gitattributes"]


def test_a_name_without_namespace_belongs_to_the_local_user(api: HfApi) -> None:
    assert api.create_repo("bare-name").repo_id == "local/bare-name"


def test_creating_twice_conflicts_unless_it_may_exist(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match=f"You already created this model repo: {repo}") as caught:
        api.create_repo(repo)
    assert caught.value.response.status_code == 409
    assert api.create_repo(repo, exist_ok=True).repo_id == repo


def test_a_space_is_a_repository_of_its_own(api: HfApi, repo: str) -> None:
    space = api.create_repo(repo, repo_type="space", space_sdk="gradio")
    assert space.repo_type == "space"
    assert api.space_info(repo).sdk == "gradio"
    assert api.model_info(repo).sha != api.space_info(repo).sha


def test_the_card_describes_the_model(api: HfApi, repo: str) -> None:
    commit = api.create_commit(repo, [CommitOperationAdd("README.md", CARD)], commit_message="card")
    info = api.model_info(repo, files_metadata=True)
    assert info.sha == commit.oid
    assert info.card_data is not None
    assert info.card_data.license == "cc-by-nc-4.0"
    assert info.pipeline_tag == "text-generation"
    assert info.tags == [
        "keras-hub", "text-generation", "alpaca", "base_model:openai-community/gpt2", "license:cc-by-nc-4.0"
    ]  # fmt: skip
    assert {sibling.rfilename: sibling.size for sibling in info.siblings or []}["README.md"] == len(CARD)


def test_only_the_expanded_properties_are_given(api: HfApi, repo: str) -> None:
    info = api.model_info(repo, expand=["sha"])
    assert info.sha is not None
    assert info.siblings is None


def test_repositories_are_listed_by_kind_and_search(api: HfApi) -> None:
    api.create_repo("listed/one")
    api.create_repo("listed/two")
    api.create_repo("listed/chat", repo_type="space", space_sdk="gradio")
    assert [info.id for info in api.list_models(author="listed")] == ["listed/two", "listed/one"]
    assert [info.id for info in api.list_models(search="STED/TW")] == ["listed/two"]
    assert [info.id for info in api.list_models(author="listed", limit=1)] == ["listed/two"]
    assert [info.id for info in api.list_spaces(author="listed")] == ["listed/chat"]


def test_a_deleted_repository_is_gone(api: HfApi, repo: str) -> None:
    api.delete_repo(repo)
    assert not api.repo_exists(repo)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repo)
    api.create_repo(repo)
    assert api.list_repo_files(repo) == [".gitattributes"]


@pytest.mark.parametrize("missing", ["local/missing", "gpt2", "spaces/missing"])
def test_a_missing_repository_raises_the_clients_own_error(api: HfApi, anonymous: HfApi, missing: str) -> None:
    for client, status in ((api, 404), (anonymous, 401)):
        with pytest.raises(RepositoryNotFoundError) as caught:
            client.model_info(missing)
        assert caught.value.response.status_code in (status, 404)
        assert not client.file_exists(missing, "README.md")
        with pytest.raises(RepositoryNotFoundError):
            client.list_repo_refs(missing)


def test_a_missing_revision_raises_the_clients_own_error(api: HfApi, repo: str) -> None:
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="v2")
    with pytest.raises(RevisionNotFoundError):
        api.create_commit(repo, [CommitOperationAdd("a.txt", b"a")], commit_message="a", revision="not-created")


def test_anyone_reads_a_public_repository(anonymous: HfApi, repo: str) -> None:
    assert anonymous.list_repo_files(repo) == [".gitattributes"]
    anonymous.auth_check(repo)


def test_writing_needs_a_token(api: HfApi, anonymous: HfApi, repo: str) -> None:
    addition = [CommitOperationAdd("a.txt", b"a")]
    with pytest.raises(HfHubHTTPError, match="Invalid username or password") as caught:
        anonymous.create_repo("local/not-created")
    assert caught.value.response.status_code == 401
    with pytest.raises(RepositoryNotFoundError, match="Invalid username or password"):
        anonymous.create_commit(repo, addition, commit_message="a")
    with pytest.raises(RepositoryNotFoundError):
        anonymous.create_branch(repo, branch="v1")
    with pytest.raises(HfHubHTTPError):
        anonymous.delete_repo(repo)
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_a_private_repository_does_not_exist_for_visitors(api: HfApi, anonymous: HfApi) -> None:
    api.create_repo("local/secret", private=True)
    assert api.model_info("local/secret").private is True
    with pytest.raises(RepositoryNotFoundError):
        anonymous.model_info("local/secret")
    with pytest.raises(RepositoryNotFoundError):
        anonymous.hf_hub_download("local/secret", ".gitattributes")
    assert list(anonymous.list_models(search="secret")) == []
    assert [info.id for info in api.list_models(search="secret")] == ["local/secret"]


def test_visibility_can_be_changed(api: HfApi, anonymous: HfApi, repo: str) -> None:
    api.update_repo_settings(repo, private=True)
    assert not anonymous.repo_exists(repo)
    api.update_repo_settings(repo, private=False)
    assert anonymous.repo_exists(repo)


def test_a_name_that_the_hub_refuses_is_refused(http: httpx.Client) -> None:
    def status(**body: str) -> int:
        return http.post("/api/repos/create", json=body).status_code

    for name in ("a--b", "..", "a/b/c", "x.git", "a b", "", "é", "a" * 97):
        assert status(name=name, organization="local") == 400
    assert status(name="a", organization="api") == 400
    assert status(name="a", type="bucket") == 400
    assert status(name="a", type="space") == 400
