"""`python -m hub`: serve a storage folder until interrupted."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from hub.access import accept_any_token
from hub.errors import PortOccupiedError, StorageUnusableError, TokenFileError
from hub.server import DEFAULT_PORT, running
from hub.tokens import read_tokens


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        authenticate = read_tokens(options.tokens) if options.tokens else accept_any_token
        with running(options.storage_dir, port=options.port, host=options.host, authenticate=authenticate) as url:
            logging.getLogger("hub").info("The local Hub serves %s on %s", options.storage_dir, url)
            stopped.wait()
    except (PortOccupiedError, StorageUnusableError, TokenFileError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hub", description="Serve a Hub from a local folder.")
    parser.add_argument("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the repositories")
    default = f"{DEFAULT_PORT}, or a free one where that is taken"
    parser.add_argument("--port", type=_port, help=f"port to listen on; 0 takes a free one ({default})")
    parser.add_argument("--tokens", type=Path, help="TOML file that says whose each token is (default: any is yours)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 2**16:
        raise ValueError(f"A port is between 0 and 65535. Received: {port}")
    return port


if __name__ == "__main__":
    sys.exit(main())
