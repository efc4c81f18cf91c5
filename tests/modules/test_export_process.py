"""The exports' own process: what it leaves, and how it fails."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from keras_hub.models import GPT2Backbone
from tokenizers import Tokenizer

from modules.exports import ExportForm, TrainedModel, forms_to_write
from modules.exports.process import ExportError, ExportTask, Questions, export_from_trainer, export_in_subprocess
from modules.processes import Outcome
from modules.prompts import ALPACA
from modules.serving.generation import TextGenerator
from modules.serving.signatures import ServingModule
from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings
from publishing.exports import Export

GENERATION = GenerationSettings(max_new_tokens=4)
PROMPTS = [ALPACA.format("pear"), ALPACA.format("🙂 héllo", "b")]

# A form of a user's own that needs the model as it was trained, with its preset's name.
INITIAL = ExportForm(
    published=Export(
        name="initial", model_folder="exports/initial", revision_folder="initial", library_name="text", snippet="none"
    ),
    label="name of the initial model",
    bytes_per_parameter=0,
    write=lambda model, file: file.write_text(str(model.preset)) and None,
    written_by="trainer",
)

# Has a fresh process tell its id and wait, as the project's own ones do.
PARENT = """
import sys
from modules import processes
processes.run_in_subprocess("tests.modules.waiting", {"told": sys.argv[1]}, environment={})
"""


def task(folder: Path, *, exact: int = 0) -> ExportTask:
    return ExportTask(
        str(folder / "Format-Serving"),
        GENERATION,
        ExportSettings(),
        samples=Questions(PROMPTS, ["x", ""]),
        exact=Questions(PROMPTS[:exact], ["no model answers this", "nor this"][:exact]),
    )


def test_from_the_preset_alone_a_fresh_process_makes_every_other_form_and_answers(
    backbone: GPT2Backbone, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    export_from_trainer(TrainedModel(backbone, tokenizer), tmp_path, ExportSettings())
    assert [path.name for path in (tmp_path / "exports").iterdir()] == ["keras"]

    result = export_in_subprocess(task(tmp_path, exact=2))

    answers = ServingModule(TextGenerator(backbone, tokenizer), GENERATION).respond(PROMPTS)
    assert result["samples"] == [
        {"prompt": PROMPTS[0], "response": answers[0], "expected": "x"},
        {"prompt": PROMPTS[1], "response": answers[1]},
    ]
    assert result["exact_answers"] == {"rows": 2, "exact": 0, "share": 0.0}
    forms = {"saved_model", "keras", "transformers", "ctranslate2", "ctranslate2_float32"}
    assert result["sizes"].keys() == forms
    weights = 4 * backbone.count_params()
    assert weights < result["sizes"]["ctranslate2_float32"] < weights + 40_000
    assert result["sizes"]["ctranslate2"] < weights / 2
    spec = json.loads((tmp_path / "exports/prompt.json").read_text())
    assert spec["examples"] == [{"instruction": "pear", "input": ""}, {"instruction": "🙂 héllo", "input": "b"}]


def test_the_trainer_writes_its_part_of_the_forms_that_settings_add(
    backbone: GPT2Backbone, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    wanted = ExportSettings(extra=(f"{__name__}:INITIAL",))

    export_from_trainer(TrainedModel(backbone, tokenizer, preset="gpt2_base_en"), tmp_path, wanted)

    assert {path.name for path in (tmp_path / "exports").iterdir()} == {"keras", "initial"}
    assert (tmp_path / "exports/initial").read_text() == "gpt2_base_en"
    assert INITIAL.name not in {form.name for form in forms_to_write(wanted, "export process")}


def test_its_error_is_told_in_its_own_words(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"in a process of its own\. Received: The .*preset"):
        export_in_subprocess(task(tmp_path))


def test_a_process_that_is_killed_points_to_memory() -> None:
    assert Outcome(-signal.SIGKILL, {}, "").cause == "it was killed, as happens when memory runs out"
    assert Outcome(3, {}, "").cause == "it ended with status 3"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_the_process_that_started_it(how: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(told)], stderr=subprocess.DEVNULL) as parent:
        _wait_until(lambda: told.exists() and bool(told.read_text()))
        parent.send_signal(how)

    _wait_until(lambda: not _runs(int(told.read_text())))


def _runs(process: int) -> bool:
    """Whether it is there, and not only waiting for somebody to notice its end."""
    status = Path(f"/proc/{process}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def _wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
