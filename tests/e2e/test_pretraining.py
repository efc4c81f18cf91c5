"""From raw text to a model that continues it, and from that to one that follows instructions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.prepare.__main__ import main
from data.text.sample import documents
from hub.server import running
from tests.e2e.conftest import Finished, Place, free_port

pytestmark = pytest.mark.e2e

TEXT = {
    "data__kind": "text",
    "training__exact_answer_rows": "0",
    "training__max_steps": "80",
    "training__epochs": "1000",
    "training__learning_rate": "1e-2",
    "evaluation__slices": "none",
    "publish__space": "false",
}
# One step, of which the loss before it is reported.
FIRST_STEP = {
    "training__max_steps": "1",
    "training__warmup_fraction": "0",
    "evaluation__enabled": "false",
    "evaluation__prove_serving": "false",
    "publish__enabled": "false",
}


def long_documents() -> list[str]:
    """The sample's documents, up to twelve of them in one."""
    texts = list(documents())
    return [" ".join(texts[start : start + 1 + start % 12]) for start in range(0, len(texts), 5)]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    source = folder / "documents.jsonl"
    source.write_text("\n".join(json.dumps({"text": text}) for text in long_documents()), encoding="utf-8")
    assert (
        main([str(source), "--out", str(folder / "tfrecords"), "--eval-percent", "20", "--deduplicate", "exact"]) == 0
    )
    return folder / "tfrecords"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("base") / "output", free_port())


@pytest.fixture(scope="module")
def run(base: Place, rows: Path) -> Finished:
    return base.run(**TEXT, data__path=str(rows))


def model_of(place: Place) -> Path:
    """The newest model."""
    return max((place.root / "Trainer" / "model").iterdir(), key=lambda path: int(path.name))


def report_of(place: Place) -> dict[str, object]:
    found: dict[str, object] = json.loads((model_of(place) / "exports/training.json").read_text(encoding="utf-8"))
    return found


def test_raw_text_passes_every_component(run: Finished) -> None:
    assert run.status == 0, run.err
    assert [name for name in run.ran if "Resolver" not in name] == [
        "ImportExampleGen", "ImportSchemaGen", "StatisticsGen", "ExampleValidator", "DataGate", "Transform", "Trainer",
        "ServingProof", "Evaluator", "HFPusher",
    ]  # fmt: skip
    assert "documents parted" in run.out
    assert "make demo" not in run.out  # there is no Space to try


def test_no_document_and_no_token_is_lost(run: Finished, base: Place) -> None:
    from tokenizers import Tokenizer

    report = report_of(base)
    data = report["data"]
    tokenizer = Tokenizer.from_file(str(model_of(base) / "exports/transformers/tokenizer.json"))
    tokens = sum(len(tokenizer.encode(text).ids) + 1 for text in long_documents())

    assert report["kind"] == "text"
    assert isinstance(data, dict)
    assert sum(data[split]["supervised_tokens"] for split in ("train", "eval")) == tokens
    assert sum(data[split]["rows_read"] for split in ("train", "eval")) == len(long_documents())
    assert [data[split]["rows_dropped"] for split in ("train", "eval")] == [0, 0]
    assert data["eval"]["rows_split"] > 0


def test_the_evaluator_measures_what_training_measured(run: Finished, base: Place) -> None:
    (evaluation,) = (base.root / "Evaluator" / "evaluation").iterdir()
    judged = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))
    report = report_of(base)
    data = report["data"]

    (overall,) = judged["slices"]
    assert judged["blessed"] is True
    assert overall["candidate"]["loss"] == pytest.approx(report["eval_loss"], rel=1e-4)
    assert isinstance(data, dict)
    assert overall["candidate"]["tokens"] == data["eval"]["supervised_tokens"]


def test_what_is_published_claims_no_instruction_format(run: Finished, base: Place) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    with running(base.output / "hub", port=free_port()) as endpoint:
        api = HfApi(endpoint=endpoint, token="any")
        card = Path(hf_hub_download("local/tiny", "README.md", endpoint=endpoint)).read_text(encoding="utf-8")
        spec = json.loads(
            Path(hf_hub_download("local/tiny", "prompt.json", endpoint=endpoint)).read_text(encoding="utf-8")
        )
        assert api.repo_exists("local/tiny-demo", repo_type="space") is False

    assert (spec["kind"], spec["without_input"]) == ("text", "{instruction}")
    assert "### Instruction" not in card
    assert "follow instructions" not in card


def test_fine_tuning_from_it_begins_better_than_from_scratch(run: Finished, base: Place, tmp_path: Path) -> None:
    """Losses per token compare: both have the tokenizer of the base model."""
    presets = {
        "model__preset": str(model_of(base) / "exports/keras"),
        "model__tokenizer_path": str(model_of(base) / "exports/transformers"),
    }
    first_losses = {}
    place = Place(tmp_path / "output", free_port())
    for setting, folder in presets.items():
        finished = place.run(**FIRST_STEP, **{setting: folder})
        assert finished.status == 0, finished.err
        assert "Trainer" in finished.ran
        first_losses[setting] = report_of(place)["train_loss"]

    assert first_losses["model__tokenizer_path"] == pytest.approx(5.7, abs=0.1)  # ln 300: it knows nothing
    assert first_losses["model__preset"] < 5.2  # type: ignore[operator]
