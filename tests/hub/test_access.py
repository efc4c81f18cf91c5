"""Who may see and change what: roles of tokens, private and gated repositories, large files of others."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from hub.__main__ import main
from hub.access import Identity
from hub.errors import TokenFileError
from hub.server import running
from hub.tokens import read_tokens

SECRET = b"secret weights\0"
Api = Callable[[str | None], HfApi]


def tokens_file(folder: Path) -> Path:
    entries = {
        "owner": 'name = "anna"\nrole = "write"\nnamespaces = ["anna"]',
        "other": 'name = "ben"\nrole = "write"\nnamespaces = ["ben"]',
        "reader": 'name = "anna"\nrole = "read"\nnamespaces = ["anna"]',
        "nobody": 'name = "carl"\nrole = "none"',
        "admin": 'name = "root"\nrole = "write"',
    }
    file = folder / "tokens.toml"
    digests = {token: hashlib.sha256(token.encode()).hexdigest() for token in entries}
    file.write_text("".join(f'[[token]]\nsha256 = "{digests[token]}"\n{rest}\n' for token, rest in entries.items()))
    return file


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    with running(tmp_path / "hub", port=0, authenticate=read_tokens(tokens_file(tmp_path))) as url:
        yield url


@pytest.fixture
def api(endpoint: str) -> Api:
    return lambda token: HfApi(endpoint=endpoint, token=token or False)


@pytest.fixture
def private(api: Api) -> str:
    api("owner").create_repo("anna/private", private=True)
    addition = CommitOperationAdd("model.safetensors", SECRET)
    api("owner").create_commit("anna/private", [addition], commit_message="w")
    return "anna/private"


def test_a_private_repository_is_its_namespaces_alone(api: Api, private: str) -> None:
    for token in ("owner", "reader", "admin"):
        assert "model.safetensors" in api(token).list_repo_files(private)
        assert [model.id for model in api(token).list_models()] == [private]
    for token in ("other", "nobody", None):
        with pytest.raises(RepositoryNotFoundError):
            api(token).list_repo_files(private)
        assert list(api(token).list_models()) == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("reader", "This token may only read"),
        ("nobody", "This token has no rights"),
        ("other", "This token may not write to the namespace 'anna'"),
    ],
)
def test_only_a_token_with_the_right_to_write_there_may_write(api: Api, token: str, message: str) -> None:
    api("owner").create_repo("anna/public")
    changes: list[Callable[[], object]] = [
        lambda: api(token).create_repo("anna/new"),
        lambda: api(token).create_branch("anna/public", branch="v1"),
        lambda: api(token).delete_repo("anna/public"),
        lambda: api(token).update_repo_settings("anna/public", private=True),
        lambda: api(token).create_commit("anna/public", [CommitOperationAdd("a", b"a")], commit_message="a"),
    ]
    for change in changes:
        with pytest.raises(HfHubHTTPError, match=message) as caught:
            change()
        assert caught.value.response.status_code == 403
    assert api(None).list_repo_files("anna/public") == [".gitattributes"]


ANNAS, BENS = frozenset({"anna"}), frozenset({"ben", "team"})
READ, WRITE = ["repo.content.read"], ["repo.content.read", "repo.write"]


@pytest.mark.parametrize(
    ("identity", "organisations", "token"),
    [
        (Identity("anna", "write", ANNAS), {}, {"role": "write"}),
        (Identity("anna", "read", ANNAS), {}, {"role": "read"}),
        (Identity("ben", "write", BENS), {"team": "write"}, {"role": "write"}),
        (
            Identity("carl", "write", ANNAS),
            {"anna": "write"},
            {"role": "fineGrained", "scoped": [({"_id": "anna", "type": "org", "name": "anna"}, WRITE)]},
        ),
        (Identity("dora", "none"), {}, {"role": "fineGrained"}),
        (Identity("root", "write"), {}, {"role": "write", "global": WRITE}),
        (Identity("root", "read"), {}, {"role": "read", "global": READ}),
    ],
)
def test_whoami_tells_what_a_token_may_do_in_the_hubs_own_form(
    identity: Identity, organisations: dict[str, str], token: dict[str, Any], tmp_path: Path
) -> None:
    with running(tmp_path / "hub", port=0, authenticate=lambda _: identity) as url:
        answer = HfApi(endpoint=url, token="any").whoami()

    access = answer["auth"]["accessToken"]
    assert (answer["name"], answer["type"]) == (identity.name, "user")
    assert {one["name"]: one["roleInOrg"] for one in answer["orgs"]} == organisations
    assert access["role"] == token["role"]
    permissions = access.get("fineGrained", {"global": [], "scoped": []})
    assert permissions["global"] == token.get("global", [])
    assert [(one["entity"], one["permissions"]) for one in permissions["scoped"]] == token.get("scoped", [])


def test_a_gated_repository_shows_itself_and_gives_its_files_to_those_let_in(api: Api, tmp_path: Path) -> None:
    owner = api("owner")
    owner.create_repo("anna/gated")
    owner.create_commit("anna/gated", [CommitOperationAdd("model.safetensors", SECRET)], commit_message="w")
    owner.update_repo_settings("anna/gated", gated="manual")

    assert api(None).model_info("anna/gated").gated == "manual"
    for token in ("other", None):
        with pytest.raises(GatedRepoError, match="restricted"):
            api(token).hf_hub_download("anna/gated", "model.safetensors", local_dir=tmp_path / str(token))
    owner.grant_access("anna/gated", "ben")
    file = api("other").hf_hub_download("anna/gated", "model.safetensors", local_dir=tmp_path / "let-in")
    assert Path(file).read_bytes() == SECRET
    owner.update_repo_settings("anna/gated", gated=False)
    assert api(None).hf_hub_download("anna/gated", "model.safetensors", local_dir=tmp_path / "open")


def test_the_digest_of_somebody_elses_large_file_gets_nobody_its_contents(
    api: Api, private: str, endpoint: str
) -> None:
    api("other").create_repo("ben/mine")
    digest = hashlib.sha256(SECRET).hexdigest()
    with httpx.Client(base_url=endpoint, headers={"Authorization": "Bearer other"}, trust_env=False) as http:
        wanted = {"oid": digest, "size": len(SECRET)}
        body = {"operation": "upload", "objects": [wanted], "hash_algo": "sha256"}
        (answer,) = http.post("/ben/mine.git/info/lfs/objects/batch", json=body).json()["objects"]
        assert "upload" in answer["actions"], "it must be sent, as if the Hub did not have it"
        assert http.post(answer["actions"]["verify"]["href"], json=wanted).status_code == 404
        lines = (
            '{"key": "header", "value": {"summary": "x"}}\n'
            f'{{"key": "lfsFile", "value": {{"path": "stolen.bin", "oid": "{digest}"}}}}'
        )
        response = http.post("/api/models/ben/mine/commit/main", content=lines)
        assert (response.status_code, response.json()["error"]) == (
            400, f"The large file stolen.bin ({digest}) must be uploaded first."
        )  # fmt: skip
    addition = CommitOperationAdd("own.bin", SECRET)
    api("other").create_commit("ben/mine", [addition], commit_message="who has it may have it")
    assert "own.bin" in api("other").list_repo_files("ben/mine")


def test_a_file_of_tokens_names_the_namespaces_that_are_private_by_default(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    digest = hashlib.sha256(b"word").hexdigest()
    file.write_text(f'[[token]]\nsha256 = "{digest}"\nname = "a"\nrole = "write"\nprivate = ["club"]\n')
    assert read_tokens(file)("word") == Identity("a", "write", None, frozenset({"club"}))


@pytest.mark.parametrize(
    "text", ["", "[", "token = 1", '[[token]]\nname = "a"\nrole = "read"', '[[token]]\nsha256 = "x"\nrole = "king"']
)
def test_a_file_of_tokens_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(text)
    with pytest.raises(TokenFileError, match="The file of tokens"):
        read_tokens(file)
    assert main(["--storage-dir", str(tmp_path / "hub"), "--port", "0", "--tokens", str(file)]) == 1
    assert "The file of tokens" in capsys.readouterr().err
