"""The command: one prompt, lines of standard input, and a chat in a real terminal."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import ROOT


def command(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "serving.generate", *arguments], cwd=ROOT, input=stdin, capture_output=True, text=True
    )


def test_a_prompt_is_answered(tiny_revision: Path) -> None:
    done = command("What is the capital of France?", "--model", str(tiny_revision), "--max-new-tokens", "1")

    assert (done.returncode, done.stdout, done.stderr) == (0, "Paris\n", "")


def test_lines_become_answers_as_lines_of_json(tiny_revision: Path) -> None:
    stdin = 'Capital?\n\n{"instruction": "Sort.", "input": "b a"}\n' + "word " * 100 + "\n"
    done = command("--json", "--model", str(tiny_revision), stdin=stdin)
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    assert [line["instruction"] for line in lines] == ["Capital?", "Sort.", ("word " * 100).strip()]
    assert [line["input"] for line in lines] == ["", "b a", ""]
    assert [line["response"] for line in lines] == [ANSWER] * 3
    assert [line["finish_reason"] for line in lines] == ["stop"] * 3
    assert [line["cut_tokens"] > 0 for line in lines] == [False, False, True]
    assert {line["revision"] for line in lines} == {lines[0]["revision"]}


def test_a_line_that_is_no_question_is_named(tiny_revision: Path) -> None:
    done = command("--json", "--model", str(tiny_revision), stdin='Capital?\n{"prompt": "x"}\n')

    assert done.returncode == 1
    assert "A line that begins with a brace is a JSON object with `instruction`. Received: another one in line 2." in (
        done.stderr
    )
    assert "Traceback" not in done.stderr


def test_a_seed_gives_the_same_answer_again(even_revision: Path) -> None:
    arguments = ("x", "--model", str(even_revision), "--temperature", "1", "--max-new-tokens", "12")
    seeded = [command(*arguments, "--seed", "3").stdout for _ in range(2)]

    assert seeded[0] == seeded[1] != command(*arguments, "--seed", "4").stdout


def test_a_chat_answers_what_is_typed_and_an_interrupt_stops_an_answer_only(long_revision: Path) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "serving.generate", "--model", str(long_revision), "--max-new-tokens", "512"],
        cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
    )  # fmt: skip
    os.close(terminal)
    try:
        shown = _read_until(controller, "> ")
        os.write(controller, b"hello\n")
        _read_until(controller, "hello")
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _read_until(controller, "> ")
        os.write(controller, b"/quit\n")
        status = process.wait(30)
    finally:
        process.kill()
        os.close(controller)

    assert "/quit ends, Ctrl-C stops an answer." in shown
    assert status == 0


def _read_until(controller: int, end: str) -> str:
    shown = ""
    while not shown.endswith(end) and not (end != "> " and end in shown):
        shown += os.read(controller, 4096).decode(errors="replace")
    return shown
