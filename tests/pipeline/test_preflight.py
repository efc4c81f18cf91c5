"""What is checked before TensorFlow is imported."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from data.records import Example, write_record
from data.tfrecords import Row, write_examples
from hub.access import Identity
from hub.server import running
from pipeline import disk_checks, preflight
from pipeline.config.sources import load_config, read_config
from pipeline.errors import PreflightError
from pipeline.layout import hub_folder
from publishing.client_settings import loopback_client

ROW = Row("Name the capital of France.", "", "Paris")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_examples(tmp_path / "rows-train.tfrecord", [ROW])
    write_examples(tmp_path / "rows-eval.tfrecord", [ROW])
    return tmp_path


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def problems_of(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> list[str]:
    base = [
        "--data.path",
        str(folder),
        "--output-dir",
        str(folder / "output"),
        "--publish.local-port",
        "8919",
    ]
    try:
        preflight.check(read_config([*base, *arguments], {}), environment or {})
    except PreflightError as error:
        return list(error.problems)
    return []


def test_a_good_folder_passes(folder: Path) -> None:
    assert problems_of(folder) == []


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path / "absent",
        *(
            "--data.schema",
            "absent.pbtxt",
            "--model.tokenizer-path",
            str(tmp_path),
            "--publish.space-template",
            "x",
        ),
    )

    assert [problem.split()[0] for problem in problems] == [
        "data.path", "data.schema", "model.tokenizer_path", "publish.space_template:",
    ]  # fmt: skip


def test_values_paths_data_and_hub_are_reported_at_once(folder: Path) -> None:
    write_examples(folder / "rows-eval.tfrecord", [Row("Say hello.", "", " ")])

    problems = problems_of(
        folder,
        *("--training.learning-rate", "-1", "--model.num-heads", "5", "--data.schema", "absent.pbtxt"),
        *("--publish.endpoint", "https://huggingface.co", "--publish.repo-id", "none", "--model.tokenizer", "x"),
    )

    assert [problem.split()[0].rstrip(":,") for problem in problems] == [
        "--model.tokenizer", "training.learning_rate", "publish.repo_id", "model.num_heads",
        str(folder / "rows-eval.tfrecord"), "data.schema", "publish.token_env",
    ]  # fmt: skip


def test_a_misspelt_anomaly_hides_no_damaged_row(folder: Path) -> None:
    train = folder / "rows-train.tfrecord"
    train.write_bytes(train.read_bytes()[:-3])
    write_examples(folder / "rows-eval.tfrecord", [ROW, Row("Say hello.", "", " ")])

    misspelt, cut, *others = problems_of(folder, "--data.allow-anomalies", "blanc")

    assert misspelt.startswith("data.allow_anomalies: There is no such anomaly. Received: 'blanc'.")
    assert cut.startswith(f"{train}, row 0: a record must be intact")
    assert [problem for problem in others if "blank" in problem] == []  # it may have been meant


def test_what_is_unknown_is_not_guessed_at(folder: Path) -> None:
    """The profile may have named another folder and another Hub, so nothing is said of the default ones."""
    (problem,) = problems_of(folder, "--profile", "absent.toml", "--publish.endpoint", "https://huggingface.co")
    with pytest.raises(PreflightError) as refused:
        preflight.check(read_config(["--data.path", "--output-dir", str(folder)], {}), {})

    assert problem.startswith("profile: there is no such profile.")
    assert refused.value.problems == ("--data.path: expected one argument. See --help.",)


def test_a_pattern_without_files_names_what_is_there(folder: Path) -> None:
    (problem,) = problems_of(folder, "--data.eval-pattern", "*-test*")

    assert problem == (
        f"data.eval_pattern must match a file. Received: '*-test*' in {folder}, which holds "
        "rows-eval.tfrecord, rows-train.tfrecord. Rename the files or set --data.eval-pattern."
    )


def test_a_dataset_json_that_says_what_it_cannot_and_a_licence_that_the_hub_refuses_are_named(folder: Path) -> None:
    manifest = folder / "dataset.json"
    manifest.write_text('{"licence": "mit"}')
    assert problems_of(folder, "--publish.license", "gpl-9") == [
        f"{manifest}: A data set is described by an object with license, datasets, sources, preparation. "
        "Received: licence. Rename what is else.",
        "publish.license: a licence must be one of the Hub's identifiers. Received: 'gpl-9'. "
        "Take one of https://huggingface.co/docs/hub/repositories-licenses, or other.",
    ]

    manifest.write_text('{"license": "my-own"}')
    (problem,) = problems_of(folder)
    assert problem.startswith(f"{manifest}: a licence must be one of the Hub's identifiers. Received: 'my-own'.")


def test_rows_without_an_input_are_fine(folder: Path) -> None:
    example = Example()
    for name, text in (("instruction", b"Say hello."), ("output", b"Hello")):
        example.features.feature[name].bytes_list.value.append(text)
    with (folder / "rows-train.tfrecord").open("wb") as file:
        write_record(file, example.SerializeToString())

    assert problems_of(folder) == []


def test_a_cut_file_and_a_blank_response_are_named(folder: Path) -> None:
    train, evaluation = folder / "rows-train.tfrecord", folder / "rows-eval.tfrecord"
    train.write_bytes(train.read_bytes()[:-3])
    write_examples(evaluation, [ROW, Row("Say hello.", "", " ")])

    problems = problems_of(folder)

    assert [str(train) in problem or "'train'" in problem for problem in problems] == [True, True, False]
    assert f"{evaluation}, row 1" in problems[2]


def test_a_preset_is_a_name_a_handle_or_a_folder(folder: Path) -> None:
    preset = folder / "preset"
    preset.mkdir()

    assert problems_of(folder, "--profile", "gpt2_base") == []
    assert problems_of(folder, "--model.preset", "hf://me/model") == []
    assert "Did you mean gpt2_base_en?" in problems_of(folder, "--model.preset", "gpt2_bas_en")[0]
    assert "has a config.json" in problems_of(folder, "--model.preset", str(preset))[0]
    assert "no such folder" in problems_of(folder, "--model.preset", str(folder / "absent"))[0]
    (preset / "config.json").write_text("{}")
    assert "tells its sizes" in problems_of(folder, "--model.preset", str(preset))[0]


def test_a_real_hub_needs_a_token_and_the_local_one_does_not(folder: Path) -> None:
    names = ("--publish.repo-id", "me/model", "--publish.space-repo-id", "me/demo")
    with running(folder / "hub", port=0) as endpoint, loopback_client():
        remote = ("--publish.endpoint", endpoint, *names)

        (problem,) = problems_of(folder, *remote)

        assert "the environment variable HF_TOKEN is empty" in problem
        assert problems_of(folder, *remote, environment={"HF_TOKEN": "x"}) == []
        assert problems_of(folder, *remote, "--publish.enabled", "false") == []


def test_the_hubs_refusals_stand_in_the_list_of_all_problems(folder: Path) -> None:
    reader = Identity("me", "read", frozenset({"me"}))
    with running(folder / "hub", port=0, authenticate=lambda token: reader) as endpoint, loopback_client():
        problems = problems_of(
            folder,
            *("--publish.endpoint", endpoint, "--publish.repo-id", "YOU/model", "--publish.space-repo-id", "me/demo"),
            *("--data.schema", "absent.pbtxt", "--model.preset", "hub:me/absent"),
            environment={"HF_TOKEN": "x"},
        )

    assert [problem.split()[0] for problem in problems] == [
        "data.schema", "model.preset:", "publish.repo_id", "publish.space_repo_id",
    ]  # fmt: skip


def test_a_name_that_is_wrong_by_itself_does_not_hide_what_the_hub_says_of_the_other(folder: Path) -> None:
    reader = Identity("me", "read", frozenset({"me"}))
    with running(folder / "hub", port=0, authenticate=lambda token: reader) as endpoint, loopback_client():
        problems = problems_of(
            folder,
            *("--publish.endpoint", endpoint, "--publish.repo-id", "no name", "--publish.space-repo-id", "me/demo"),
            environment={"HF_TOKEN": "x"},
        )

    assert [problem.split()[0] for problem in problems] == ["publish.repo_id:", "publish.space_repo_id"]
    assert "a token of me that may only read" in problems[1]


def test_a_port_may_be_free_or_serve_this_very_hub(folder: Path, free_port: int) -> None:
    arguments = ("--publish.local-port", str(free_port))

    with running(hub_folder(str(folder / "output")), port=free_port):
        assert problems_of(folder, *arguments) == []
    with running(folder / "other", port=free_port):
        assert f"{free_port} is taken" in problems_of(folder, *arguments)[0]
    with socket.socket() as occupant:
        occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        occupant.bind(("127.0.0.1", free_port))
        occupant.listen()
        assert f"{free_port} is taken" in problems_of(folder, *arguments)[0]


def test_the_usual_port_may_be_taken(folder: Path) -> None:
    with running(folder / "other"):  # on the usual port, unless that is taken already
        assert problems_of(folder, "--publish.local-port", "none") == []


def test_a_full_disk_is_foreseen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2**30))

    assert problems_of(folder) == []
    (problem,) = problems_of(folder, "--profile", "gpt2_base")
    assert problem.startswith("The disk of output_dir needs about 9.7 GiB for this run: ")
    assert "Received: 1.0 GiB free" in problem


def test_parameters_are_estimated_from_the_sizes() -> None:
    scratch = load_config(["--profile", "gpt2_base", "--model.preset", "none"], {})

    assert disk_checks.parameter_count(scratch) == 124_439_808  # GPT-2 base has exactly as many
    assert disk_checks.parameter_count(load_config(["--profile", "gpt2_base"], {})) == 124_000_000


def test_the_output_folder_must_be_writable(folder: Path) -> None:
    (folder / "file").write_text("")

    (problem,) = problems_of(folder, "--output-dir", str(folder / "file" / "output"))

    assert problem.startswith("output_dir must be a folder")


def test_the_newest_day_must_have_both_splits(folder: Path) -> None:
    for day, splits in (("2026-11-01", ("train", "eval")), ("2026-11-02", ("train",))):
        (folder / day).mkdir()
        for split in splits:
            shutil.copy(next(folder.glob(f"*-{split}*")), folder / day)
    train, evaluation = (f"{{YYYY}}-{{MM}}-{{DD}}/*-{split}*" for split in ("train", "eval"))

    assert problems_of(folder, "--data.train-pattern", train, "--data.eval-pattern", evaluation) == [
        "The newest data must have both splits. "
        f"Received: 2026-11-02 for train, 2026-11-01 for eval, in {folder}. "
        "Write what is missing, or name both patterns alike."
    ]


def test_a_pattern_for_half_a_date_is_refused(folder: Path) -> None:
    (problem,) = problems_of(folder, "--data.train-pattern", "{YYYY}/*-train*")

    assert problem.startswith("data.train_pattern, data.eval_pattern: A pattern names the newest data by {SPAN}")


def test_a_callback_that_is_not_there_is_found_before_the_run(folder: Path) -> None:
    callbacks = "keras.callbacks:TerminateOnNaN keras.callbacks:Absent absent.module:Callback"
    no_class, no_module = problems_of(folder, "--training.callbacks", callbacks)
    assert no_class.startswith("training.callbacks: the module has no such class. Received: 'keras.callbacks:Absent'")
    assert no_module.startswith("training.callbacks: there is no such module. Received: 'absent.module:Callback'")
    (problem,) = problems_of(folder, "--training.callbacks", "not a name")
    assert problem.startswith("training.callbacks: A callback is named as package.module:ClassName. Received: 'not'.")
