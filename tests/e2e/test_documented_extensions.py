"""The examples of docs/extending.md: the page shows the files as they are, and a run of the pipeline has them all."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from data.prepare.__main__ import main as convert
from tests.e2e.conftest import REPOSITORY, Finished, Place, free_port

pytestmark = pytest.mark.e2e
EXAMPLES = "examples.extensions"
PAGE = REPOSITORY / "docs/extending.md"
SHOWN = re.compile(r"\(\.\./(examples/extensions/\w+\.py)\):\n\n```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("documented") / "output", free_port())


@pytest.fixture(scope="module")
def losses(place: Place) -> Path:
    return place.output.parent / "losses.csv"


@pytest.fixture(scope="module")
def finished(place: Place, losses: Path) -> Finished:
    data = place.output.parent / "data"
    assert convert([f"{EXAMPLES}.sums_source:SOURCE", "--out", str(data), "--eval-percent", "20"]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOSS_FILE", str(losses))
        return place.run(
            data__path=str(data),
            data__prompt_format=f"{EXAMPLES}.question_format:FORMAT",
            model__family=f"{EXAMPLES}.distilgpt2_family:FAMILY",
            training__callbacks=f"{EXAMPLES}.loss_file:LossFile",
            export__extra=f"{EXAMPLES}.float16_export:FLOAT16",
            publish__exports=f"transformers,ctranslate2,{EXAMPLES}.float16_export:FLOAT16",
            evaluation__enabled="false",
            evaluation__prove_serving="false",
        )


@pytest.fixture(scope="module")
def revision(finished: Finished, place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was published, fetched from the Hub."""
    assert finished.status == 0, finished.err
    return place.fetch(tmp_path_factory.mktemp("revision"))


def test_the_page_shows_every_example_as_it_is() -> None:
    shown = dict(SHOWN.findall(PAGE.read_text(encoding="utf-8")))
    files = sorted((REPOSITORY / "examples/extensions").glob("*.py"))
    assert shown == {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in files}


def test_the_prompt_format_is_what_the_model_is_asked_in(revision: Path) -> None:
    assert json.loads((revision / "prompt.json").read_text())["with_input"] == "Q: {instruction} ({input})\nA: "


def test_the_exported_form_has_the_published_weights_in_half_the_room(revision: Path) -> None:
    whole, half = load_file(revision / "model.safetensors"), load_file(revision / "float16/model.safetensors")
    assert {values.dtype for values in half.values()} == {np.dtype("float16")}
    assert {name: values.astype(np.float16).tobytes() for name, values in whole.items()} == {
        name: values.tobytes() for name, values in half.items()
    }


def test_the_callback_wrote_a_loss_for_every_step(revision: Path, losses: Path) -> None:
    with losses.open(encoding="utf-8") as file:
        steps = [row["step"] for row in csv.DictReader(file) if float(row["loss"]) > 0]
    assert steps == ["1", "2", "3"]


def test_the_card_names_the_family_the_form_and_the_licence_of_the_source(revision: Path) -> None:
    card = (revision / "README.md").read_text(encoding="utf-8")
    assert "A DistilGPT-2 language model" in card
    assert "- distilgpt2\n" in card
    assert 'subfolder="float16"' in card
    assert "license: cc0-1.0" in card
