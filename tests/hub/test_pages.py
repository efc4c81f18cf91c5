from __future__ import annotations

import httpx
from huggingface_hub import CommitOperationAdd, HfApi

from hub.markup import card, size
from hub.pages import PREVIEW_BYTES

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
        assert f'<a href="/{repo}/blob/{oid}/a%3Ci%3E.txt">a&lt;i&gt;.txt</a>' in page.text
        assert f'<a href="/{repo}/resolve/{oid}/a%3Ci%3E.txt" download>Download</a>' in page.text
        assert '<span class="label">mit</span>' in page.text
        assert "<table>" in page.text
        assert "<script" not in page.text
        assert "<i>" not in page.text
    assert "script" not in page.headers["content-security-policy"]


def test_markup_in_a_card_is_shown_as_text() -> None:
    html = card(CARD.decode())
    assert "<h1>A &lt;b&gt;card&lt;/b&gt;</h1>" in html
    assert "&lt;script&gt;" in html
    assert 'href="javascript' not in html


def test_the_front_matter_of_a_card_is_folded() -> None:
    assert "<details><summary>Front matter, 1 lines</summary><pre>license: mit</pre></details>" in card(CARD.decode())
    assert "<details>" not in card("# No front matter")


def test_a_files_text_is_shown_and_never_run(api: HfApi, repo: str, http: httpx.Client) -> None:
    additions = [CommitOperationAdd("a/b c.json", b'{"<b>": "\xc3\xbc"}'), CommitOperationAdd("x.txt", b"\x00\xff")]
    oid = api.create_commit(repo, additions, commit_message="x").oid

    page = http.get(f"/{repo}/blob/main/a/b%20c.json")
    assert page.status_code == 200
    assert '<pre class="preview">{&quot;&lt;b&gt;&quot;: &quot;ü&quot;}</pre>' in page.text
    assert f'<a href="/{repo}/resolve/{oid}/a/b%20c.json" download>Download</a>' in page.text
    assert "This file is no text: download it." in http.get(f"/{repo}/blob/main/x.txt").text
    assert http.get(f"/{repo}/blob/main/nowhere").status_code == 404


def test_of_a_long_text_the_first_part_is_shown(api: HfApi, repo: str, http: httpx.Client) -> None:
    text = "ü" * PREVIEW_BYTES  # two bytes each, and the preview ends within one
    api.create_commit(repo, [CommitOperationAdd("long.txt", b"a" + text.encode())], commit_message="x")

    page = http.get(f"/{repo}/blob/main/long.txt")
    assert "The first 256 KiB of 512 KiB." in page.text
    assert f'<pre class="preview">a{"ü" * (PREVIEW_BYTES // 2 - 1)}</pre>' in page.text


def test_a_large_file_has_a_download_and_no_text(api: HfApi, repo: str, http: httpx.Client) -> None:
    api.create_commit(repo, [CommitOperationAdd("model.safetensors", bytes(2048))], commit_message="x")

    page = http.get(f"/{repo}")
    assert '<td class="file">model.safetensors</td><td class="size">2.0 KiB</td>' in page.text
    assert '/model.safetensors" download>Download</a>' in page.text


def test_the_newest_revisions_come_first_and_older_ones_fold(api: HfApi, repo: str, http: httpx.Client) -> None:
    names = [f"v202611{day:02}-120000" for day in range(1, 13)]
    for name in names:
        api.create_branch(repo, branch=name)

    page = http.get(f"/{repo}/tree/{names[-1]}").text
    assert f'<a href="/{repo}/tree/{names[-1]}" aria-current="page">{names[-1]}</a>' in page
    assert page.index(">main</a>") < page.index(names[-1]) < page.index(names[-2]) < page.index("5 earlier ones")
    assert page.index("5 earlier ones") < page.index(names[0])
    assert "and 5 more" in http.get("/").text


def test_sizes_have_a_unit_that_fits() -> None:
    assert [size(count) for count in (0, 1023, 1024, 3_800_000, 300 * 1024**2)] == [
        "0 bytes", "1,023 bytes", "1.0 KiB", "3.6 MiB", "300 MiB",
    ]  # fmt: skip


def test_a_private_or_missing_repository_has_no_page(api: HfApi, name: str, url: str) -> None:
    api.create_repo(name, private=True)
    for address in (
        f"{url}/{name}",
        f"{url}/local/missing",
        f"{url}/spaces/local/missing",
        f"{url}/a/b/tree/c",
        f"{url}/{name}/blob/main/.gitattributes",
    ):
        page = httpx.get(address, trust_env=False)
        assert page.status_code == 404
        assert "Not found" in page.text
