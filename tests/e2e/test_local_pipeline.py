"""The whole pipeline on a tiny model: what it makes, what it reuses, what it refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest

from hub.access import Identity
from hub.server import running
from pipeline.config.sources import load_config
from pipeline.report.formatting import outcome
from pipeline.report.reading.run import read_outline
from pipeline.report.store import stores
from tests.e2e.conftest import PIPELINE, PROJECT, REPOSITORY, Finished, Place, free_port

pytestmark = pytest.mark.e2e

IMPORT = "ImportExampleGen"
ALL = [
    "ImportExampleGen", "ImportSchemaGen", "StatisticsGen", "DataResolver", "ExampleValidator", "DataGate",
    "Transform", "Trainer", "BaselineResolver", "ServingProof", "AnswerQuality", "Evaluator", "HFPusher",
]  # fmt: skip
# Lookups and questions to the Hub are asked anew each time.
NEVER_CACHED = ["DataResolver", "BaselineResolver", "HFPusher"]
CACHED = [name for name in ALL if name not in NEVER_CACHED]
# What a run is without what judges its model.
UNJUDGED = {"evaluation__enabled": "false", "evaluation__prove_serving": "false"}
FROM_TRAINER = ["DataResolver", "Trainer", "HFPusher"]
BEFORE_TRANSFORM, BEFORE_TRAINER = ([name for name in ALL[:end] if name not in NEVER_CACHED] for end in (6, 7))
MODEL_FILES = {
    "Format-Serving/assets.extra/tf_serving_warmup_requests",
    "Format-Serving/fingerprint.pb",
    "Format-Serving/saved_model.pb",
    "Format-Serving/variables/variables.data-00000-of-00001",
    "Format-Serving/variables/variables.index",
    "exports/ctranslate2/config.json",
    "exports/ctranslate2/model.bin",
    "exports/ctranslate2/vocabulary.json",
    "exports/ctranslate2_float32/config.json",
    "exports/ctranslate2_float32/model.bin",
    "exports/ctranslate2_float32/vocabulary.json",
    "exports/keras/assets/tokenizer/merges.txt",
    "exports/keras/assets/tokenizer/vocabulary.json",
    "exports/keras/config.json",
    "exports/keras/metadata.json",
    "exports/keras/model.weights.h5",
    "exports/keras/preprocessor.json",
    "exports/keras/task.json",
    "exports/keras/tokenizer.json",
    "exports/prompt.json",
    "exports/training.json",
    "exports/transformers/config.json",
    "exports/transformers/generation_config.json",
    "exports/transformers/merges.txt",
    "exports/transformers/model.safetensors",
    "exports/transformers/special_tokens_map.json",
    "exports/transformers/tokenizer.json",
    "exports/transformers/tokenizer_config.json",
    "exports/transformers/vocab.json",
}


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def trained_models(place: Place) -> list[Path]:
    return sorted((place.root / "Trainer" / "model").iterdir(), key=lambda path: int(path.name))


def published_revisions(place: Place) -> list[str]:
    """Dated branches of the model repository, asked of the Hub itself."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import RepositoryNotFoundError

    with running(place.output / "hub", port=free_port()) as endpoint:
        try:
            refs = HfApi(endpoint=endpoint, token="any").list_repo_refs("local/tiny")
        except RepositoryNotFoundError:
            return []
    return sorted(branch.name for branch in refs.branches if branch.name != "main")


# ------------------------------------------------------------------------------------------ The first run


def test_every_component_runs_and_nothing_else_reaches_the_terminal(first_run: Finished) -> None:
    assert first_run.status == 0, first_run.err
    assert first_run.ran == ALL
    assert first_run.cached == []
    assert first_run.messages == []


def test_beam_neither_looks_for_prism_nor_packs_tfx(first_run: Finished, place: Place) -> None:
    (log,) = (place.output / "logs").iterdir()
    text = log.read_text(encoding="utf-8").lower()

    assert "prism" not in text
    assert "extra_package" not in text


def test_the_model_artifact_has_every_form(first_run: Finished, place: Place) -> None:
    (model,) = trained_models(place)
    report = json.loads((model / "exports/training.json").read_text(encoding="utf-8"))

    assert files_below(model) == MODEL_FILES
    assert report["steps"] == 3


def test_one_dated_revision_is_published(first_run: Finished, place: Place) -> None:
    (revision,) = published_revisions(place)

    assert revision.startswith("v20")
    assert f"revision  {revision} of local/tiny" in first_run.out


def test_the_summary_says_where_everything_is(first_run: Finished, place: Place) -> None:
    (model,) = trained_models(place)
    (log,) = (place.output / "logs").iterdir()

    summary = first_run.out.partition("Done in ")[2]
    assert "13 components, 0 from cache." in summary
    assert "token accuracy" in summary
    assert str(model) in summary
    assert str(log) in summary
    assert summary.endswith(f'try it    make demo ARGS="--storage-dir {place.output}/hub --port {place.port}"\n')


# ---------------------------------------------------------------------------------------------- The cache


def test_a_second_run_is_served_from_cache_and_publishes_nothing_new(first_run: Finished, place: Place) -> None:
    before = published_revisions(place)
    again = place.run()

    assert again.status == 0, again.err
    assert again.cached == CACHED
    assert again.ran == NEVER_CACHED  # HFPusher asked the Hub, and
    assert f"{before[0]} was already published" in again.out
    assert published_revisions(place) == before


def test_an_emptied_hub_is_filled_again_from_cache(first_run: Finished, place: Place, tmp_path: Path) -> None:
    elsewhere = place.copy(tmp_path / "output")
    shutil.rmtree(elsewhere.output / "hub")

    assert elsewhere.run().cached == CACHED
    assert len(published_revisions(elsewhere)) == 1


def test_results_that_somebody_deleted_are_made_again(first_run: Finished, place: Place, tmp_path: Path) -> None:
    elsewhere = place.copy(tmp_path / "output")
    blessing = place.root / "DataGate" / "blessing"
    blessing.rename(tmp_path / "away")

    again = elsewhere.run()

    (tmp_path / "away").rename(blessing)
    assert again.status == 0, again.err
    assert again.ran == ["DataResolver", "DataGate", "BaselineResolver", "HFPusher"]


def test_edited_code_runs_again_with_what_follows(first_run: Finished, place: Place, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for source in (REPOSITORY / name for name in PROJECT):
        (shutil.copytree if source.is_dir() else shutil.copy)(source, project / source.name)
    elsewhere = place.copy(tmp_path / "output")
    prompts, training = project / "modules/prompts/alpaca.py", project / "modules/training/fit.py"

    prompts.write_text(prompts.read_text().replace("### Response:", "### Answer:"))
    with_prompt = elsewhere.run_process(project, children=sys.executable)
    exported = [line.split()[1] for line in with_prompt.err.splitlines() if line.startswith("  exporting ")]
    training.write_text(training.read_text() + "\n# a change\n")
    with_training = elsewhere.run_process(project, python=sys.executable, **UNJUDGED)

    assert with_prompt.status == 0, with_prompt.err
    assert with_prompt.cached == [name for name in BEFORE_TRANSFORM if name != "DataGate"]
    assert with_prompt.messages == []
    assert exported == ["keras,", "transformers", "ctranslate2", "ctranslate2_float32", "saved_model"]
    assert with_prompt.ran == ["DataResolver", *ALL[5:]]  # DataGate counts the tokens of the prompts
    assert with_training.cached == BEFORE_TRAINER
    assert with_training.ran == FROM_TRAINER
    assert len(published_revisions(elsewhere)) == 3


def test_an_edited_schema_changes_the_cache_key(tmp_path: Path) -> None:
    from tfx.dsl.compiler.compiler import Compiler

    from pipeline.pipeline import create_pipeline

    schema = tmp_path / "schema.pbtxt"
    config = load_config(["--data.schema", str(schema)], {})
    compiled = []
    for text in ("# one", "# one", "# two"):
        schema.write_text(text)
        compiled.append(Compiler().compile(create_pipeline(config)).deployment_config.value)

    assert compiled[0] == compiled[1]
    assert compiled[0] != compiled[2]


def test_an_edited_dataset_json_changes_the_cache_key(tmp_path: Path) -> None:
    from tfx.dsl.compiler.compiler import Compiler

    from pipeline.pipeline import create_pipeline

    folder = shutil.copytree(REPOSITORY / "data/sample/tfrecords", tmp_path / "rows")
    config = load_config(["--data.path", str(folder)], {})
    compiled = []
    for license in ("mit", "mit", "cc-by-4.0"):
        (folder / "dataset.json").write_text(f'{{"license": "{license}"}}')
        nodes = Compiler().compile(create_pipeline(config)).nodes
        compiled.append(next(node.pipeline_node for node in nodes if node.pipeline_node.node_info.id == IMPORT))

    assert compiled[0] == compiled[1]
    assert compiled[0] != compiled[2]


# ------------------------------------------------------------------------------------------- The evaluation


def test_a_first_model_is_blessed_and_the_summary_says_so(first_run: Finished, place: Place) -> None:
    assert "  Evaluator  " in first_run.out
    assert "  verdict   blessed · loss " in first_run.out
    assert "no model was blessed before, so there was nothing to compare with" in first_run.out
    (blessing,) = (place.root / "Evaluator" / "blessing").iterdir()
    assert [path.name for path in blessing.iterdir()] == ["BLESSED"]


def test_the_evaluators_loss_is_the_trainers(first_run: Finished, place: Place) -> None:
    (model,) = trained_models(place)
    (evaluation,) = (place.root / "Evaluator" / "evaluation").iterdir()
    trained = json.loads((model / "exports/training.json").read_text(encoding="utf-8"))
    overall = json.loads((evaluation / "report.json").read_text(encoding="utf-8"))["slices"][0]["candidate"]

    assert overall["loss"] == pytest.approx(trained["eval_loss"], rel=1e-5)
    assert overall["token_accuracy"] == pytest.approx(trained["eval_token_accuracy"], rel=1e-5)
    assert overall["rows"] == 207


def test_slices_and_metrics_that_do_not_exist_are_refused_before_anything_runs(tmp_path: Path) -> None:
    place = Place(tmp_path / "output", free_port())
    unknown_metric = place.run(evaluation__thresholds="los<=3")
    unknown_slice = place.run(evaluation__slices="with_input,language", evaluation__thresholds="loss<=3@topic=art")

    assert (unknown_metric.status, unknown_metric.out) == (1, "")
    assert "evaluation.thresholds: There is no such metric. Received: 'los<=3'. Take one of " in unknown_metric.err
    assert (unknown_slice.status, unknown_slice.out) == (1, "")
    for column in ("language", "topic"):
        assert f"Received: {column!r}; the rows of sample-eval" in unknown_slice.err
    assert not place.output.exists()


# ------------------------------------------------------------------------------------------ Interruptions


def wait_for_training(process: object) -> str:
    """The first line about the training."""
    first, lines = "", []
    for line in process.stderr:  # type: ignore[attr-defined]
        lines.append(line)
        first = first or (line if "  training " in line else "")
        if "training step" in line:
            return first
    raise AssertionError(f"The run ended before it trained: {''.join(lines)}")


def runs_of(place: Place) -> list[str]:
    """The outcomes of all runs, newest first."""
    found = stores(str(place.output))
    return [outcome(read_outline(store.read(name.run_id))) for store in found for name in reversed(store.runs())]


def test_an_interrupted_or_killed_run_leaves_nothing_that_is_reused(
    first_run: Finished, place: Place, tmp_path: Path
) -> None:
    elsewhere = place.copy(tmp_path / "output")
    settings = {"training__max_steps": "400", "training__seed": "7", "training__checkpoint_every_steps": "5"} | UNJUDGED
    model_folder = elsewhere.root / "Trainer" / "model"
    copied = {path.name for path in model_folder.iterdir()}

    interrupted = elsewhere.start(python=sys.executable, **settings)
    wait_for_training(interrupted)
    interrupted.send_signal(signal.SIGINT)
    _, err = interrupted.communicate(timeout=60)
    after_interrupt = {path.name for path in model_folder.iterdir()}
    killed = elsewhere.start(python=sys.executable, **settings)
    told = wait_for_training(killed)
    killed.kill()
    killed.communicate(timeout=60)
    (half_written,) = {path.name for path in model_folder.iterdir()} - copied
    again = elsewhere.run(**settings)

    assert interrupted.returncode == 130
    promised = re.search(
        "Interrupted. Nothing half-written will be used: with these settings, the next run goes on with the training "
        r"from its checkpoint of step (\d+).\n$",
        err,
    )
    assert promised, err
    assert told == f"  training goes on from the checkpoint of step {promised[1]} of 400\n"
    assert after_interrupt == copied
    assert again.status == 0, again.err
    assert again.ran == FROM_TRAINER
    assert not (model_folder / half_written).exists()
    report = json.loads((trained_models(elsewhere)[-1] / "exports/training.json").read_text(encoding="utf-8"))
    assert report["steps"] == 400
    assert report["resumed_from"] >= int(promised[1])
    outcomes = runs_of(elsewhere)
    assert outcomes[1:3] == ["Killed in Trainer", "Interrupted in Trainer"]


# ------------------------------------------------------------------------------------- A Hub that refuses


ASKED_BEFORE_THE_RUN = 3  # whose token it is, and whether it may write to the model's and the Space's repository


@pytest.mark.parametrize("withdrawn", [False, True], ids=["from the beginning", "after it was asked"])
def test_a_hub_that_refuses_leaves_nothing_published(
    withdrawn: bool, first_run: Finished, place: Place, tmp_path: Path
) -> None:
    elsewhere = place.copy(tmp_path / "output")
    os.environ["HF_TOKEN"] = "secret-token"
    asked: list[str | None] = []

    def authenticate(token: str | None) -> Identity:
        asked.append(token)
        return Identity("reader", "write" if withdrawn and len(asked) <= ASKED_BEFORE_THE_RUN else "read")

    with running(tmp_path / "remote", port=0, authenticate=authenticate) as endpoint:
        refused = elsewhere.run(
            publish__endpoint=endpoint, publish__repo_id="reader/model", publish__space_repo_id="reader/demo"
        )

    assert refused.status == 1
    assert refused.cached == (CACHED if withdrawn else [])
    assert "only read" in refused.err
    assert "Traceback" not in refused.err
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file() and "model" in path.parts] == []
    everything = [path for path in elsewhere.output.rglob("*") if path.is_file()]
    assert [path for path in everything if b"secret-token" in path.read_bytes()] == []


# ------------------------------------------------------------------------------------------- The TFX CLI


def test_the_tfx_cli_creates_updates_and_runs_it(
    first_run: Finished, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner
    from tfx.tools.cli.cli_main import cli_group

    elsewhere = place.copy(tmp_path / "output")
    arguments = elsewhere.arguments()
    for flag, value in zip(arguments[::2], arguments[1::2], strict=True):
        variable = "GPT2_ALPACA_" + flag.removeprefix("--").replace(".", "__").replace("-", "_").upper()
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("LOCAL_HOME", str(tmp_path / "tfx_home"))
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(sys, "argv", ["tfx"])

    def tfx(*command: str) -> str:
        result = CliRunner().invoke(cli_group, [*command, "--engine", "local"])
        assert result.exit_code == 0, result.output
        return str(result.output)

    created = tfx("pipeline", "create", "--pipeline-path", "local_runner.py")
    updated = tfx("pipeline", "update", "--pipeline-path", "local_runner.py")
    before = len(list((elsewhere.output / "logs").iterdir()))
    tfx("run", "create", "--pipeline-name", PIPELINE)

    assert f'Pipeline "{PIPELINE}" created successfully.' in created
    assert f'Pipeline "{PIPELINE}" updated successfully.' in updated
    newest = max((elsewhere.output / "logs").iterdir())
    assert len(list((elsewhere.output / "logs").iterdir())) == before + 1
    assert "Component HFPusher is finished." in newest.read_text()
