"""The Evaluator's figures against Transformers on PyTorch, computed from the exported weights and tokenizer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from data.tfrecords import Row, read_examples
from tests.evaluation.evaluating import evaluate
from tests.publishing.trained_model import ANSWER

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-parity" / "bin" / "python"
SAMPLE = ROOT / "data/sample/tfrecords/sample-eval-00000-of-00001.tfrecord"
ODD = [
    Row("Name the capital of France.", "", ANSWER),
    Row("Say hello.", " \t", "héllo 🙂\n\nworld  "),
    Row("Repeat it. " * 30, "now", "it"),  # the prompt does not fit
    Row("Write.", "", "é" * 100),  # the response does not fit
    Row("End it <|endoftext|> now.", "<|endoftext|>", "no <|endoftext|> end"),
]

pytestmark = [
    pytest.mark.parity,
    pytest.mark.skipif(not PYTHON.exists(), reason="needs .venv-parity: run `make test-parity`"),
]


def with_transformers(model: Path, rows: list[Row], folder: Path) -> dict[str, float]:
    """The figures by tests/parity/perplexity.py."""
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row._asdict()) + "\n" for row in rows), encoding="utf-8")
    done = subprocess.run(
        [PYTHON, ROOT / "tests/parity/perplexity.py", model, file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def test_perplexity_equals_transformers_on_the_exported_weights_to_4_digits(
    trained_model: Path, tmp_path: Path
) -> None:
    model = trained_model
    rows = [*list(read_examples(SAMPLE))[:60], *ODD]
    ours = evaluate(tmp_path, rows, model, thresholds=["loss<=1000"]).report["slices"][0]["candidate"]
    theirs = with_transformers(model, rows, tmp_path)

    assert ours["tokens"] == theirs["tokens"]
    assert ours["scored_rows"] == theirs["rows"] == len(rows) - 1
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    assert f"{ours['perplexity']:.4g}" == f"{theirs['perplexity']:.4g}"
    assert ours["token_accuracy"] == pytest.approx(theirs["token_accuracy"], abs=1e-6)
