from __future__ import annotations

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import BadRequestError, HfHubHTTPError, RevisionNotFoundError


def commit(api: HfApi, repo: str, text: str, *, revision: str = "main", parent_commit: str | None = None) -> str:
    addition = [CommitOperationAdd("a.txt", text.encode())]
    made = api.create_commit(repo, addition, commit_message=text, revision=revision, parent_commit=parent_commit)
    return made.oid


def test_a_branch_starts_at_main_and_then_goes_its_own_way(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="v20261121-225207")
    oid = commit(api, repo, "one", revision="v20261121-225207")
    branches = {ref.name: ref.target_commit for ref in api.list_repo_refs(repo).branches}
    assert branches["v20261121-225207"] == oid
    assert api.list_repo_files(repo, revision="v20261121-225207") == [".gitattributes", "a.txt"]
    assert api.list_repo_files(repo) == [".gitattributes"]


def test_a_branch_can_start_at_a_commit(api: HfApi, repo: str) -> None:
    first = commit(api, repo, "one")
    commit(api, repo, "two")
    api.create_branch(repo, branch="again", revision=first)
    assert api.model_info(repo, revision="again").sha == first


def test_a_branch_name_may_contain_a_slash(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="feature/x")
    oid = commit(api, repo, "one", revision="feature/x")
    assert api.model_info(repo, revision="feature/x").sha == oid
    assert api.list_repo_refs(repo).branches[1].ref == "refs/heads/feature/x"
    assert api.list_repo_files(repo, revision="feature/x") == [".gitattributes", "a.txt"]
    api.delete_branch(repo, branch="feature/x")
    assert [ref.name for ref in api.list_repo_refs(repo).branches] == ["main"]


def test_an_existing_branch_conflicts_unless_it_may_exist(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="v1")
    oid = commit(api, repo, "one", revision="v1")
    with pytest.raises(HfHubHTTPError, match="Reference refs/heads/v1 already exists") as caught:
        api.create_branch(repo, branch="v1")
    assert caught.value.response.status_code == 409
    api.create_branch(repo, branch="v1", exist_ok=True)
    assert api.model_info(repo, revision="v1").sha == oid


def test_a_deleted_branch_leaves_its_commits_reachable(api: HfApi, repo: str) -> None:
    api.create_branch(repo, branch="v1")
    oid = commit(api, repo, "one", revision="v1")
    api.delete_branch(repo, branch="v1")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(repo, revision="v1")
    with pytest.raises(RevisionNotFoundError):
        api.delete_branch(repo, branch="v1")
    assert api.model_info(repo, revision=oid).sha == oid
    assert api.model_info(repo, revision=oid[:7]).sha == oid


def test_main_cannot_be_deleted(api: HfApi, repo: str) -> None:
    with pytest.raises(HfHubHTTPError, match="Cannot delete refs/heads/main"):
        api.delete_branch(repo, branch="main")


def test_a_tag_stays_where_it_was_put(api: HfApi, repo: str) -> None:
    first = commit(api, repo, "one")
    api.create_tag(repo, tag="v1.0")
    commit(api, repo, "two")
    assert [(ref.name, ref.target_commit) for ref in api.list_repo_refs(repo).tags] == [("v1.0", first)]
    assert api.model_info(repo, revision="v1.0").sha == first
    with pytest.raises(HfHubHTTPError, match=r"Reference refs/tags/v1\.0 already exists"):
        api.create_tag(repo, tag="v1.0")
    api.create_tag(repo, tag="v1.0", exist_ok=True)
    with pytest.raises(RevisionNotFoundError):
        commit(api, repo, "three", revision="v1.0")
    api.delete_tag(repo, tag="v1.0")
    assert api.list_repo_refs(repo).tags == []


def test_the_history_goes_from_the_newest_commit_to_the_first(api: HfApi, repo: str) -> None:
    second, third = commit(api, repo, "one"), commit(api, repo, "two")
    history = api.list_repo_commits(repo)
    assert [entry.title for entry in history] == ["two", "one", "initial commit"]
    assert [entry.commit_id for entry in history[:2]] == [third, second]
    assert history[0].authors == ["local"]


def test_a_commit_on_an_outdated_parent_is_refused(api: HfApi, repo: str) -> None:
    first = commit(api, repo, "one")
    second = commit(api, repo, "two", parent_commit=first)
    with pytest.raises(HfHubHTTPError, match="The branch was updated since") as caught:
        commit(api, repo, "three", parent_commit=first)
    assert caught.value.response.status_code == 412
    assert api.model_info(repo).sha == second
    commit(api, repo, "four", parent_commit=second[:10])


@pytest.mark.parametrize("ref", ["a..b", "a b", "-x", ".hidden", "a.lock", "x~1", "0" * 40, "a%b", "x" * 81])
def test_a_ref_name_that_git_refuses_is_refused(api: HfApi, repo: str, ref: str) -> None:
    with pytest.raises(BadRequestError):
        api.create_branch(repo, branch=ref)
    with pytest.raises(BadRequestError):
        api.create_tag(repo, tag=ref)
    assert [ref.name for ref in api.list_repo_refs(repo).branches] == ["main"]
