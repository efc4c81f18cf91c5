"""Requests as hypothesis makes them up: known addresses, methods and names, filled with what does not belong."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from urllib.parse import quote

from hypothesis import strategies as st

CONTENT = b"\0weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()

NASTY = ["", " ", "\n"]
NASTY += f"""
.. . ... ../.. ../../secret.txt ..%2f..%2fsecret.txt %2e%2e %2e%2e%2fsecret.txt ..; ..\\.. /etc/passwd %2fetc%2fpasswd
//secret.txt ~ %00 a%00b %ff%fe %c3%28 %0d%0aX-Set:1 %252e%252e refs/heads/main refs%2Fheads%2Fmain -rf con {"a" * 300}
é 💥 % %% %2 HEAD .git .git/config main v1 {SHA256} {"0" * 64} {"0" * 40} aaaaaaa gpt2 model local models spaces
datasets api
""".split()
ADDRESSES = """
/ /{} /{}/{} /{}/{}/{} /api/{} /api/{}/{}/{}/{}/{} /api/repos/create /api/repos/delete /api/validate-yaml
/api/whoami-v2 /api/local-hub /spaces/{}/{}/resolve/{}/{} /{}/{}.git/info/lfs/objects/{} /lfs/objects/{}
/lfs/objects/{}/parts/{} /lfs/objects/{}/complete /api/models/{}/{}
REPO/{} REPO/tree/{} REPO/tree/{}/{} REPO/revision/{} REPO/commit/{} REPO/commit/main REPO/commits/{} REPO/preupload/{}
REPO/preupload/main REPO/paths-info/{} REPO/paths-info/main REPO/branch/{} REPO/tag/{} REPO/refs REPO/settings
REPO/auth-check/{} REPO/user-access-request/grant REPO/user-access-request/handle REPO/user-access-request/{}
REPO/super-squash/{} REPO/super-squash/main REPO/lfs-files REPO/lfs-files/batch REPO/xet-write-token/{} REPO/discussions
/api/repos/move /xet/{}/v1/shards /xet/{}/v1/xorbs/default/{} /xet/{}/v1/chunks/default/{}
/local/model/resolve/{}/{} /local/model/resolve/main/{} /local/model/tree/{} /local/model/commit/{}
/local/model.git/info/lfs/objects/batch /local/model.git/info/lfs/objects/verify
""".replace("REPO", "/api/models/local/model").split()
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
QUERY_NAMES = [
    "recursive",
    "expand",
    "expand[]",
    "cursor",
    "limit",
    "author",
    "search",
    "blobs",
    "create_pr",
    "size",
    "repository",
    "expires",
    "signature",
    "include_prs",
    "p",
]
# Names that the server looks for in JSON, so that random values get somewhere.
FIELDS = [
    "name",
    "organization",
    "type",
    "sdk",
    "private",
    "visibility",
    "gated",
    "user",
    "files",
    "path",
    "size",
    "sample",
    "operation",
    "objects",
    "oid",
    "hash_algo",
    "transfers",
    "parts",
    "partNumber",
    "etag",
    "paths",
    "startingPoint",
    "tag",
    "content",
    "repoType",
    "key",
    "value",
    "summary",
    "description",
    "parentCommit",
    "encoding",
    "header",
    "file",
    "lfsFile",
    "fromRepo",
    "toRepo",
    "message",
    "deletions",
    "sha",
    "rewriteHistory",
    "status",
    "requestId",
    "gitIgnore",
]
RANGES = (
    None, "bytes=0-3", "bytes=5-1", "bytes=-1", "bytes=9999-", "bytes=a-b", "bytes=0-0,2-3", "lines=1",
    "bytes=0-0," + "0-0," * 200,
)  # fmt: skip
TOKENS = (None, "Bearer writer", "Bearer writer", "Bearer reader", "Bearer forged", "Bearer", "Basic d3JpdGVy")
CONTENT_TYPES = ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Request:
    method: str
    address: str
    body: bytes
    headers: dict[str, str]


words = st.one_of(st.sampled_from(NASTY), st.text(max_size=12).map(lambda text: quote(text, safe="")))
known = st.sampled_from([*NASTY, "local/model", "upload", "multipart", "base64", "utf-8", "auto"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), known),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=6)),
    max_leaves=12,
)
paths = st.one_of(st.sampled_from([*NASTY, "a.txt", "model.bin", "folder/b.txt"]), st.text(max_size=12))
contents = st.one_of(st.text(max_size=8), st.binary(max_size=30).map(lambda data: base64.b64encode(data).decode()))
regular = st.fixed_dictionaries(
    {"path": paths, "content": contents, "encoding": st.sampled_from(["base64", "utf-8", "hex", 7])}
)
large = st.fixed_dictionaries(
    {"path": paths, "oid": st.sampled_from([SHA256, "0" * 64, "../" * 20, 5]), "size": st.integers()}
)
operations = st.one_of(
    st.fixed_dictionaries({"key": st.just("file"), "value": regular}),
    st.fixed_dictionaries({"key": st.just("lfsFile"), "value": large}),
    st.fixed_dictionaries({"key": st.sampled_from(["deletedFile", "deletedFolder", "x"]), "value": regular}),
    values,
)
objects = st.fixed_dictionaries({"operation": st.just("upload"), "objects": st.lists(large, max_size=3)})


@st.composite
def commits(draw: st.DrawFn) -> bytes:
    header = {"summary": draw(st.text(max_size=8)), "parentCommit": draw(st.sampled_from([None, "0" * 40, "main", ""]))}
    lines = [{"key": "header", "value": header}, *draw(st.lists(operations, max_size=4))]
    return b"\n".join(json.dumps(line).encode() for line in lines)


bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    commits(),
    st.one_of(values, objects, st.dictionaries(st.sampled_from(FIELDS), values, max_size=6)).map(
        lambda value: json.dumps(value).encode()
    ),
    st.sampled_from([b"[" * 5000, b'{"a":' * 3000, b"\xff\xfe{}", b'{"size": 1e999}', b"\n\n\n", b"{}" * 100]),
)
printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    address = draw(st.sampled_from(ADDRESSES))
    address = address.format(*(draw(words) for _ in range(address.count("{}"))))
    query = draw(st.dictionaries(st.sampled_from(QUERY_NAMES), words, max_size=3))
    if query:
        address += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    headers = {
        "Content-Type": draw(st.sampled_from(CONTENT_TYPES)),
        "Authorization": draw(st.one_of(st.sampled_from(TOKENS), printable)),
        "Range": draw(st.sampled_from(RANGES)),
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    return Request(draw(st.sampled_from(METHODS)), _fit_for_a_line(address), draw(bodies), sent)


def _fit_for_a_line(address: str) -> str:
    """As it is, but for what cannot be in the first line of a request."""
    return quote(address, safe="".join(map(chr, range(0x21, 0x7F))))
