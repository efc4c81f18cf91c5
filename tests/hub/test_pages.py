from __future__ import annotations

import httpx
from huggingface_hub import CommitOperationAdd, HfApi

from hub.pages import render_card

CARD = b"""---
license: mit
---
# A <b>card</b>

| a | b |
|---|---|
| 1 | <script>alert(1)</script> |

[bad](javascript:alert(1))
"""


def test_the_index_lists_public_repositories_and_their_revisions(
    api: HfApi, repo: str, name: str, http: httpx.Client
) -> None:
    api.create_branch(repo, branch="v20261121-225207")
    api.create_repo(f"{name}-private", private=True)
    page = http.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<a href="/{repo}/tree/v20261121-225207">v20261121-225207</a>' in page.text
    assert f"{name}-private" not in page.text


def test_a_revision_page_shows_its_files_and_card(api: HfApi, repo: str, http: httpx.Client) -> None:
    additions = [CommitOperationAdd("README.md", CARD), CommitOperationAdd("a<i>.txt", b"x")]
    oid = api.create_commit(repo, additions, commit_message="<i>first</i>").oid
    for address in (f"/{repo}", f"/{repo}/tree/main", f"/{repo}/commit/{oid}"):
        page = http.get(address)
        assert page.status_code == 200
        assert oid in page.text
        assert f'<a href="/{repo}/resolve/{oid}/a%3Ci%3E.txt">a&lt;i&gt;.txt</a>' in page.text
        assert "<table>" in page.text
        assert "<script" not in page.text
        assert "<i>" not in page.text
    assert "script" not in page.headers["content-security-policy"]


def test_markup_in_a_card_is_shown_as_text() -> None:
    html = render_card(CARD.decode())
    assert "<h1>A &lt;b&gt;card&lt;/b&gt;</h1>" in html
    assert "&lt;script&gt;" in html
    assert 'href="javascript' not in html


def test_a_private_or_missing_repository_has_no_page(api: HfApi, name: str, url: str) -> None:
    api.create_repo(name, private=True)
    for address in (
        f"{url}/{name}",
        f"{url}/local/missing",
        f"{url}/spaces/local/missing",
        f"{url}/a/b/tree/c",
    ):
        page = httpx.get(address, trust_env=False)
        assert page.status_code == 404
        assert "Not found" in page.text
