"""The hook for lm-evaluation-harness: which command it runs, and what it says when it cannot."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.lm_eval import main

# What the harness would be started with.
HARNESS = f"""#!{sys.executable}
import sys
print("\\n".join(sys.argv[1:]))
sys.exit(3)
"""
EXPORT = "exports/transformers"


@pytest.fixture
def harness(tmp_path: Path) -> Path:
    path = tmp_path / "bin" / "lm_eval"
    path.parent.mkdir()
    path.write_text(HARNESS)
    path.chmod(0o755)
    return path


def model_in(folder: Path) -> Path:
    (folder / EXPORT).mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / EXPORT / name).touch()
    return folder


def test_it_scores_the_newest_model_and_passes_the_rest_on(
    harness: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "output/tfx/kerasnlp-gpt2-alpaca-pipeline/Trainer/model"
    for number in ("9", "12"):
        model_in(models / number)

    status = main(
        ["--executable", str(harness), "--output-dir", str(tmp_path / "output"), "--tasks", "arc_easy", "--",
         "--limit", "10"]
    )  # fmt: skip

    export = models / "12" / EXPORT
    assert status == 3
    assert capfd.readouterr().out.splitlines() == [
        "--model", "hf",
        "--model_args", f"pretrained={export},tokenizer={export}",
        "--tasks", "arc_easy",
        "--batch_size", "8",
        "--device", "cpu",
        "--output_path", str(tmp_path / "output/lm_eval"),
        "--limit", "10",
    ]  # fmt: skip


def test_without_the_harness_it_says_how_to_install_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--executable", "no_such_harness", "--model", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "lm-evaluation-harness must be installed, in an environment of its own. "
        "Received: no no_such_harness on PATH. "
        "Run `uv tool install 'lm-eval[hf]'` or `pipx install 'lm-eval[hf]'`, or name it with --executable.\n"
    )


def test_without_a_model_it_says_so(harness: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--executable", str(harness), "--output-dir", str(tmp_path / "output")]) == 1
    assert "There must be a trained model. Received: none in " in capsys.readouterr().err
    assert main(["--executable", str(harness), "--model", str(tmp_path)]) == 1
    assert (
        f"Received: {tmp_path / EXPORT} without config.json, model.safetensors, tokenizer.json."
        in capsys.readouterr().err
    )
