"""Where a token may write, by answers of `whoami-v2` in the form that the public Hub documents."""

from __future__ import annotations

from typing import Any

import pytest

from publishing.permissions import Account

ORGANISATIONS = [
    {"type": "org", "id": "1", "name": "Team", "fullname": "Team", "roleInOrg": "contributor"},
    {"type": "org", "id": "2", "name": "readers", "fullname": "Readers", "roleInOrg": "read"},
    {"type": "org", "id": "3", "name": "untold", "fullname": "Untold"},
]


def account(role: str, **fine_grained: Any) -> Account:
    token: dict[str, Any] = {"displayName": "laptop", "role": role, "createdAt": "2026-11-22T03:00:00.000Z"}
    if role == "fineGrained":
        token["fineGrained"] = {
            "canReadGatedRepos": False,
            "global": ["discussion.write"],
            "scoped": [],
            **fine_grained,
        }
    answer = {"type": "user", "id": "0", "name": "anna", "fullname": "Anna", "isPro": False, "orgs": ORGANISATIONS}
    return Account.model_validate({**answer, "auth": {"type": "access_token", "accessToken": token}})


def scope(kind: str, name: str, *permissions: str) -> dict[str, Any]:
    return {"entity": {"_id": "0", "type": kind, "name": name}, "permissions": list(permissions)}


@pytest.mark.parametrize("repo_id", ["anna/model", "Anna/model", "team/model", "Team/model", "untold/model"])
def test_a_token_of_the_role_write_may_write_as_its_owner_may(repo_id: str) -> None:
    assert account("write").obstacle(repo_id) is None


@pytest.mark.parametrize(
    ("repo_id", "received"),
    [
        ("readers/model", "a token of anna, who may only read in the organisation readers"),
        ("ben/model", "a token of anna, whose organisations are readers, team, untold"),
    ],
)
def test_a_token_of_the_role_write_may_not_write_where_its_owner_may_not(repo_id: str, received: str) -> None:
    obstacle = account("write").obstacle(repo_id)

    assert obstacle is not None
    assert obstacle.received == received


@pytest.mark.parametrize("repo_id", ["anna/model", "team/model", "ben/model"])
def test_a_token_of_the_role_read_may_write_nowhere(repo_id: str) -> None:
    obstacle = account("read").obstacle(repo_id)

    assert obstacle is not None
    assert obstacle.received == "a token of anna that may only read"


@pytest.mark.parametrize(
    "given",
    [
        {"scoped": [scope("user", "anna", "repo.content.read", "repo.write")]},
        {"scoped": [scope("org", "team", "repo.write"), scope("user", "Anna", "repo.write")]},
        {"scoped": [scope("model", "anna/model", "repo.write")]},
        {"global": ["repo.write"]},
    ],
)
def test_a_fine_grained_token_may_write_where_it_says_so(given: dict[str, Any]) -> None:
    assert account("fineGrained", **given).obstacle("anna/model") is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"scoped": [scope("user", "anna", "repo.content.read")]},
        {"scoped": [scope("org", "team", "repo.write")]},
        {"scoped": [scope("model", "anna/other", "repo.write")]},
    ],
)
def test_a_fine_grained_token_may_not_write_where_it_does_not_say_so(given: dict[str, Any]) -> None:
    obstacle = account("fineGrained", **given).obstacle("anna/model")

    assert obstacle is not None
    assert obstacle.received == "a fine-grained token of anna without repo.write for anna"


@pytest.mark.parametrize(
    "answer",
    [
        {"type": "user", "name": "anna", "orgs": [], "auth": {"type": "oauth", "expiresAt": "2026-11-22T03:00:00Z"}},
        {"type": "app", "name": "robot", "auth": {"type": "access_token", "accessToken": {"role": "read"}}},
        {"name": "anna"},
    ],
)
def test_an_answer_that_does_not_tell_stands_in_nobodys_way(answer: dict[str, Any]) -> None:
    assert Account.model_validate(answer).obstacle("ben/model") is None
