"""kubeflow_runner.py: the compile command, and what the others refuse before they talk to anybody."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from pipeline.config.sources import load_config
from pipeline.kubeflow.runner import command_parser, connection, run_command

GUIDE = Path(__file__).parents[2] / "docs" / "kubeflow.md"


def guide_commands() -> list[list[str]]:
    """The arguments of every kubeflow_runner.py command in the guide, a profile that exists for the reader's own."""
    text = GUIDE.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^\$ (?:\.venv/bin/)?python kubeflow_runner\.py (.*)$", text, re.MULTILINE)
    return [shlex.split(line.replace("mine.toml", "gpt2_base"), comments=True) for line in lines]


def test_compile_writes_the_file_and_says_what_a_cluster_could_not_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pipeline.yaml"

    status = run_command(["compile", "--output", str(path)], {})

    assert status == 0
    assert capsys.readouterr().out == f"Wrote {path}.\n"
    assert "The embedded Hub's disk is gone with the pod" in caplog.text
    pipeline, platform = yaml.safe_load_all(path.read_text(encoding="utf-8"))
    assert pipeline["pipelineInfo"]["name"] == "kerasnlp-gpt2-alpaca-pipeline"
    assert platform["platforms"].keys() == {"kubernetes"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["compile", "--output", "pipeline.json"], "Name a file that ends in .yaml."),
        (["compile", "--training.epochs", "0"], "training.epochs: input should be greater than or equal to 1"),
        (["compile", "--kubeflow.gpu", "1"], "Did you mean --kubeflow.gpus?"),
        (["compile", "--pipeline-name", "A.B"], "lower-case letters, digits and `-` on Kubeflow"),
        (["submit"], "Nothing was submitted: 1 problem."),
        (["schedule", "--cron", "0 3 * * 1"], "Set --publish.endpoint https://huggingface.co"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run_command(arguments, {})

    told = capsys.readouterr()
    assert status == 1
    assert words in told.err
    assert told.out == ""


def test_secrets_come_from_the_environment_and_do_not_show() -> None:
    config = load_config(["--kubeflow.endpoint", "https://kf.example", "--kubeflow.namespace", "team"], {})

    chosen = connection(config, {"KUBEFLOW_TOKEN": "very-secret", "KUBEFLOW_COOKIES": "session=secret"})

    assert (chosen.host, chosen.namespace, chosen.token) == ("https://kf.example", "team", "very-secret")
    assert "secret" not in repr(chosen)
    assert connection(config, {}).token is None


def test_the_commands_of_the_guide_are_ones() -> None:
    commands = guide_commands()

    assert [arguments[0] for arguments in commands][:1] == ["compile"]
    for arguments in commands:
        _, rest = command_parser().parse_known_args(arguments)
        load_config(rest, {})
