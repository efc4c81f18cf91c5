"""A card that says all that a card can say; `python -m tests.publishing.golden_card` writes its golden file anew."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from publishing.card.facts import CardFacts, DataOrigin, Findings, SliceMetrics, SplitStatistics
from publishing.card.model_card import write_card
from publishing.exports import EXPORTS
from publishing.manifest import PastRevision
from tests.publishing.publications import REVISION, facts_of
from tests.publishing.tiny_model import write_model

GOLDEN = Path(__file__).parent / "golden" / "card.txt"
HISTORY = (PastRevision("v20261120-120000", "1" * 40), PastRevision("v20261119-120000", "2" * 40))
FOUND = Findings(
    slices=(
        SliceMetrics({}, {"rows": 207, "loss": 0.0712346, "token_accuracy": 0.988}),
        SliceMetrics({"with_input": "yes"}, {"rows": 90, "loss": 0.1, "bits_per_byte": 0.25}),
    ),
    statistics=(
        SplitStatistics("train", 1100, {"instruction": 7.25, "output": 12.5}),
        SplitStatistics("eval", 10, {"output": 4.0}),
    ),
    allowed_anomalies=("blank: 1 row | has no text", "skew: the evaluation rows are shorter"),
    origin=DataOrigin("cc-by-nc-4.0", ("tatsu-lab/alpaca",), ("https://hub.example/alpaca_data.json",)),
)


def golden_card(facts: CardFacts) -> str:
    """The card of a model with every export, findings of every component, and a history."""
    code = {"version": "0.1.0", "modules_sha256": "c" * 64, "git_commit": "d" * 40}
    provenance = {
        "run_id": "20261122-022524-710304",
        "code": code,
        "rows_sha256": {"train": "a" * 64, "eval": "b" * 64},
    }
    answers = [*facts.training["samples"], {"prompt": "p\n", "response": "```\n# Boo {{ x }}", "expected": "maybe"}]
    model = {"preset": "gpt2_base_en", "tokenizer_path": "/home/ann/tokenizer"}
    training = {**facts.training, "provenance": provenance, "samples": answers, "model": model}
    told = dataclasses.replace(
        facts,
        training=training,
        license=None,
        endpoint="https://hub.example",
        space_repo_id="me/demo",
        exports=tuple(EXPORTS),
        found=FOUND,
    )
    return write_card(told, repo_id="me/tiny", revision=REVISION, history=HISTORY)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        GOLDEN.write_text(golden_card(facts_of(write_model(Path(folder) / "model"))), encoding="utf-8")
