"""The public editions of Alpaca: fetched, checked, kept."""

from __future__ import annotations

import hashlib
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from data.alpaca.download import fetch
from data.alpaca.editions import EDITIONS, Checksum, checksums
from data.errors import SourceError


def test_a_download_is_cached_and_checked(tmp_path: Path) -> None:
    class QuietHandler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    content = b'[{"instruction": "a", "output": "b"}]'
    (tmp_path / "rows.json").write_bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/rows.json"
    right = Checksum(len(content), hashlib.sha256(content).hexdigest())
    assert fetch(url, right, tmp_path / "downloads").read_bytes() == content
    with pytest.raises(SourceError, match=rf"did not serve .* Received: {len(content)} bytes, sha256:{right.sha256}"):
        fetch(url, right._replace(sha256="0" * 64), tmp_path / "others")
    server.shutdown()
    server.server_close()
    assert fetch(url, right, tmp_path / "downloads").read_bytes() == content
    with pytest.raises(SourceError, match=r"could not be fetched\. Received: .* pass the path of a file you have"):
        fetch(url, right, tmp_path / "offline")


def test_each_edition_names_a_commit_and_has_a_checksum() -> None:
    assert checksums().keys() == set(EDITIONS.values())
    assert all(len(url.split("/")[5]) == 40 for url in EDITIONS.values())
