"""What users add from a module of their own, through names in settings alone: here, from this test's module.

One run of the pipeline has a prompt format, an exported form, a training callback and a model family that the project
does not know, and rows from a source that it does not know either.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import pytest

from data.origin import Origin
from data.prepare.__main__ import main as convert
from data.sources.own import RowSource
from data.tfrecords import Row
from modules.exports import ExportForm, TrainedModel
from modules.models.gpt2.family import Gpt2Family
from modules.prompts import PromptFormat
from publishing.card.family import FamilyFacts
from publishing.exports import Export
from tests.e2e.conftest import Finished, Place, free_port

pytestmark = pytest.mark.e2e
# As any process finds it from the project's folder.
MODULE = "tests.e2e.test_extensions"


def rows() -> Iterator[Row]:
    """Yields rows as a database might."""
    for number in range(400):
        yield Row(f"Add one to {number}.", "", str(number + 1))


SOURCE = RowSource("arithmetic", Origin("cc0-1.0", ("me/arithmetic",), ("made up",)), rows)
FORMAT = PromptFormat(
    name="question",
    with_input="Q: {instruction} ({input})\nA: ",
    without_input="Q: {instruction}\nA: ",
    response_marker="A: ",
    chat_template="{{ 'Q: ' + messages[0]['content'] + '\nA: ' }}",
)


def write_sizes(model: TrainedModel, folder: Path) -> None:
    """Writes a form that holds no more than the shapes of the weights."""
    folder.mkdir()
    shapes = {weight.path: list(weight.shape) for weight in model.backbone.weights}
    (folder / "shapes.json").write_text(json.dumps(shapes), encoding="utf-8")


SHAPES = ExportForm(
    published=Export(
        name="shapes",
        model_folder="exports/shapes",
        revision_folder="shapes",
        library_name="json",
        snippet="Shapes:\n\n    hf download <<repo_id>> shapes/shapes.json --revision <<revision>>",
    ),
    label="Shapes of the weights",
    bytes_per_parameter=0,
    write=write_sizes,
)


class SmallFamily(Gpt2Family):
    """Another name for the same network."""

    name = "small"
    published = FamilyFacts(label="Small", tag="small-lm")


FAMILY = SmallFamily()

STEPS = "STEP_FILE"


class StepFile(keras.callbacks.Callback):
    """Writes the loss of each step into a file: training has a process of its own."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        with Path(os.environ[STEPS]).open("a", encoding="utf-8") as file:
            file.write(f"{float(logs['loss'])}\n")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("extensions") / "output", free_port())


@pytest.fixture(scope="module")
def extended(place: Place) -> Finished:
    data = place.output.parent / "data"
    assert convert([f"{MODULE}:SOURCE", "--out", str(data), "--eval-percent", "20"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STEPS, str(steps_file(place)))
        return place.run(
            data__path=str(data),
            data__prompt_format=f"{MODULE}:FORMAT",
            model__family=f"{MODULE}:FAMILY",
            training__callbacks=f"{MODULE}:StepFile",
            export__extra=f"{MODULE}:SHAPES",
            publish__exports=f"transformers,ctranslate2,{MODULE}:SHAPES",
            evaluation__enabled="false",
        )


def steps_file(place: Place) -> Path:
    return place.output.parent / "steps.txt"


@pytest.fixture(scope="module")
def revision(extended: Finished, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was published, fetched from the Hub."""
    return place.fetch(tmp_path_factory.mktemp("revision"))


def test_all_of_them_pass_through_one_run(extended: Finished) -> None:
    assert extended.status == 0, extended.err
    assert extended.ran[-1] == "HFPusher"


def test_the_format_is_what_the_model_is_asked_in(revision: Path) -> None:
    spec = json.loads((revision / "prompt.json").read_text(encoding="utf-8"))
    assert spec["without_input"] == FORMAT.without_input
    assert "Q: Add one to " in (revision / "training.json").read_text(encoding="utf-8")


def test_the_form_is_published_and_told_on_the_card_and_in_the_report(revision: Path, place: Place) -> None:
    assert "token_embedding/embeddings" in (revision / "shapes/shapes.json").read_text(encoding="utf-8")
    assert "hf download local/tiny shapes/shapes.json --revision v" in (revision / "README.md").read_text(
        encoding="utf-8"
    )
    assert "shapes/shapes.json" in report(place)


def test_the_family_is_told_on_the_card_and_the_data_sets_of_the_source_too(revision: Path) -> None:
    card = card_of(revision)
    assert "A Small language model" in card
    assert "- small-lm" in card
    assert "license: cc0-1.0" in card
    assert "- me/arithmetic" in card
    assert training_of(revision)["model"]["family"] == f"{MODULE}:FAMILY"


def test_the_callback_was_told_of_every_step(revision: Path, place: Place) -> None:
    training = training_of(revision)
    told = steps_file(place).read_text(encoding="utf-8").splitlines()
    assert len(told) == training["steps"] == 3
    assert f"{MODULE}:StepFile" in report(place)


def card_of(revision: Path) -> str:
    return (revision / "README.md").read_text(encoding="utf-8")


def training_of(revision: Path) -> dict[str, Any]:
    return json.loads((revision / "training.json").read_text(encoding="utf-8"))


def report(place: Place) -> str:
    (page,) = place.output.glob("reports/*/index.html")
    return page.read_text(encoding="utf-8")
