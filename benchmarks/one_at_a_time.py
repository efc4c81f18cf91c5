"""CTranslate2 as it is called where nothing shares it out: a server that streams one answer after the other.

python -m benchmarks.one_at_a_time REVISION_FOLDER PORT
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import ctranslate2
from tokenizers import Tokenizer

from serving.answering.prompt import PromptFormat
from serving.settings import usable_cores

HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> int:
    """Serves until it is ended."""
    folder, port = Path(arguments[0]), int(arguments[1])
    prompt_format = PromptFormat.read(folder / "prompt.json")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    generator = ctranslate2.Generator(str(folder / "ctranslate2"), intra_threads=usable_cores())
    turn = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_POST(self) -> None:
            asked: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["content-length"])))
            prompt = prompt_format.prompt(asked["messages"][-1]["content"])
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with turn:
                for step in generator.generate_tokens(
                    tokenizer.encode(prompt).tokens, max_length=asked["max_tokens"], sampling_topk=1
                ):
                    self._send({"choices": [{"delta": {"content": tokenizer.decode([step.token_id])}}]})
            self.wfile.write(b"data: [DONE]\n\n")

        def _send(self, event: dict[str, Any]) -> None:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()

        def log_message(self, format: str, *_arguments: Any) -> None:
            """Writes nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    Server((HOST, port), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
