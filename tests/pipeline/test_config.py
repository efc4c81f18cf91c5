"""The configuration: where values come from, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.config import PipelineConfig
from pipeline.config.sources import ConfigError, field_names, fields, load_config, profile_names

REPOSITORY = Path(__file__).parents[2]
SETTABLE = [name for name in field_names() if name != "profile"]


def problems_of(arguments: list[str], environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        load_config(arguments, environment or {})
    return refused.value.problems


def test_without_arguments_it_is_the_quickstart_profile() -> None:
    config = load_config([], {})

    assert config.profile == "quickstart"
    assert config.data.path == "data/sample/tfrecords"
    assert config.model.preset is None
    assert config.publish.endpoint == "local"


def test_the_command_line_wins_over_environment_over_profile_over_default(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text("[training]\nepochs = 2\nbatch_size = 3\nseed = 4\n")
    environment = {"GPT2_ALPACA_TRAINING__EPOCHS": "20", "GPT2_ALPACA_TRAINING__BATCH_SIZE": "30"}

    config = load_config(["--profile", str(profile), "--training.epochs", "200"], environment)

    assert config.training.epochs == 200
    assert config.training.batch_size == 30
    assert config.training.seed == 4
    assert config.training.clip_norm == 1.0


def test_the_environment_chooses_the_profile_and_the_command_line_overrules_it() -> None:
    environment = {"GPT2_ALPACA_PROFILE": "gpt2_base"}

    assert load_config([], environment).model.preset == "gpt2_base_en"
    assert load_config(["--profile", "gpt2_large"], environment).model.preset == "gpt2_large_en"


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_config([], {"GPT2_ALPACA_PROFILE": ""}).profile == "quickstart"


def test_none_is_written_as_a_word() -> None:
    assert load_config(["--profile", "gpt2_base", "--model.preset", "none"], {}).model.preset is None
    assert load_config([], {"GPT2_ALPACA_TRAINING__MAX_STEPS": "none"}).training.max_steps is None


def test_every_field_explains_itself() -> None:
    assert [name for name, info in fields().items() if not info.description] == []


def as_text(value: object) -> str:
    """A value as flags and environment variables write it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_of(config: PipelineConfig, name: str) -> object:
    """A setting's value, by its dotted name."""
    value: object = config.model_dump(by_alias=True)
    for key in name.split("."):
        assert isinstance(value, dict)
        value = value[key]
    return value


def as_toml(config: PipelineConfig) -> str:
    """A profile with every setting."""
    lines: dict[str, list[str]] = {}
    for name in SETTABLE:
        group, _, key = name.rpartition(".")
        value = value_of(config, name)
        written = as_text(value) if isinstance(value, int | float) else f'"{as_text(value)}"'
        lines.setdefault(group, []).append(f"{key} = {written}")
    return "\n".join("\n".join([f"[{group}]"] * bool(group) + lines[group]) for group in sorted(lines)) + "\n"


def test_a_list_is_written_as_words_and_arguments_as_a_shell_parts_them() -> None:
    config = load_config(
        ["--kubeflow.node-selector", "gpu=l4, zone=b", "--beam.arguments", "--flink_master=host:1 '--experiments=a,b'"],
        {"GPT2_ALPACA_KUBEFLOW__UNCACHED": "none"},
    )

    assert config.kubeflow.node_selector == ("gpu=l4", "zone=b")
    assert config.beam.arguments == ("--flink_master=host:1", "--experiments=a,b")
    assert config.kubeflow.uncached == ()


def test_every_field_can_be_set_from_every_source(tmp_path: Path) -> None:
    quickstart, defaults = load_config([], {}), PipelineConfig()
    profile = tmp_path / "all.toml"
    profile.write_text(as_toml(defaults))
    chosen = ["--profile", str(profile)]
    given = {name: as_text(value_of(quickstart, name)) for name in SETTABLE}
    differing = [name for name in SETTABLE if given[name] != as_text(value_of(defaults, name))]
    assert len(differing) > 10

    by_profile = load_config(chosen, {})
    by_flags = load_config(
        [*chosen, *(part for name in SETTABLE for part in (f"--{name.replace('_', '-')}", given[name]))], {}
    )
    by_environment = load_config(
        chosen, {"GPT2_ALPACA_" + name.replace(".", "__").upper(): given[name] for name in SETTABLE}
    )

    assert by_profile == defaults.model_copy(update={"profile": str(profile)})
    assert by_flags == by_environment == quickstart.model_copy(update={"profile": str(profile)})


@pytest.mark.parametrize(
    ("profile", "preset"),
    [
        ("gpt2_base", "gpt2_base_en"),
        ("gpt2_extra_large", "gpt2_extra_large_en"),
        ("gpt2_large", "gpt2_large_en"),
        ("gpt2_medium", "gpt2_medium_en"),
        ("pretrain", None),
        ("pretrain_gpt2_base", None),
        ("quickstart", None),
    ],
)
def test_each_profile_is_valid_and_leaves_the_licence_to_the_data(profile: str, preset: str | None) -> None:
    config = load_config(["--profile", profile], {})

    assert config.model.preset == preset
    assert (config.publish.license, config.publish.datasets) == (None, ())


def test_the_profiles_are_these() -> None:
    assert profile_names() == [
        "gpt2_base", "gpt2_extra_large", "gpt2_large", "gpt2_medium", "pretrain", "pretrain_gpt2_base", "quickstart",
    ]  # fmt: skip


def test_all_problems_of_all_sources_are_reported_at_once(tmp_path: Path) -> None:
    profile = tmp_path / "mine.toml"
    profile.write_text("[training]\nepoks = 2\nclip_norm = 0.0\n")

    problems = problems_of(
        [
            "--profile",
            str(profile),
            "--training.learning-rate=-1",
            "--model.num-heads",
            "5",
            "--modle.dropout",
            "0",
        ],
        {"GPT2_ALPACA_TRAINING__LERNING_RATE": "3", "GPT2_ALPACA_TRAINING__EPOCHS": "many"},
    )

    assert problems == (
        "--modle.dropout: there is no such flag. Did you mean --model.dropout? See --help.",
        "GPT2_ALPACA_TRAINING__LERNING_RATE: there is no such setting. "
        "Did you mean GPT2_ALPACA_TRAINING__LEARNING_RATE? Unset it; see --help.",
        f"training.epoks (in {profile}): there is no such setting. "
        "Did you mean training.epochs? Remove it; see --help.",
        "training.epochs: input should be a valid integer, unable to parse string as an integer. "
        "Received: 'many' from GPT2_ALPACA_TRAINING__EPOCHS.\nPasses over the training split, 1 to 10000.",
        "training.learning_rate: input should be greater than 0. "
        "Received: '-1' from --training.learning-rate.\nPeak learning rate of AdamW, above 0 to 10.",
        "training.clip_norm: input should be greater than 0. "
        f"Received: 0.0 from {profile}.\nGlobal norm above which gradients are scaled down, above 0.",
        "model.num_heads must divide model.hidden_dim. Received: hidden_dim=128, num_heads=5. "
        "Take a number of heads out of 1, 2, 4, 8.",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (
            ["--learning-rate", "3"],
            "--learning-rate: there is no such flag. Did you mean --training.learning-rate?",
        ),
        (["fast"], "'fast': a value without a flag."),
        (["--training.epochs"], "--training.epochs: expected one argument."),
        (["--profile", "quikstart"], "Received: 'quikstart'. Did you mean quickstart?"),
        (["--profile", "absent.toml"], "Received: 'absent.toml'."),
        (["--data", "{}"], "--data: there is no such flag."),
        (["--training.sequence-length", "256"], "Received: sequence_length=256, context 128."),
        (
            ["--profile", "gpt2_base", "--training.sequence-length", "2048"],
            "Received: sequence_length=2048, context 1024.",
        ),
        (["--generation.max-new-tokens", "128"], "Received: max_new_tokens=128, context 128."),
        (["--profile", "gpt2_base", "--model.tokenizer-path", "x"], "A preset brings its own tokenizer."),
        (["--training.warmup-fraction", "1"], "training.warmup_fraction: input should be less than 1."),
        (["--training.learning-rate", "nan"], "training.learning_rate: input should be a finite number."),
        (["--publish.repo-id", "no-namespace"], "publish.repo_id: the form is wrong."),
        (["--publish.repo-id", "me/model"], "The embedded Hub has the one namespace local/"),
        (
            ["--publish.endpoint", "https://huggingface.co"],
            "The namespace local/ exists on the embedded Hub only.",
        ),
        (["--publish.endpoint", "ftp://hub"], "publish.endpoint: the form is wrong."),
        (["--publish.exports", "adapter"], "Set training.lora_rank, or remove adapter from publish.exports."),
        (
            ["--publish.exports", "ctranslate2_float32 saved_model", "--export.ctranslate2", "int8"],
            "export.ctranslate2=int8. Add float32 to export.ctranslate2.",
        ),
        (
            ["--publish.local-port", "70000"],
            "publish.local_port: input should be less than or equal to 65535.",
        ),
    ],
)
def test_a_wrong_value_is_refused(arguments: list[str], problem: str) -> None:
    (message,) = problems_of(arguments)

    assert problem in message


@pytest.mark.parametrize(
    ("flag", "nearest"),
    [
        ("--training.batch-sizes", "--training.batch-size"),  # and not --tuning.batch-sizes
        ("--tuning.learning-rate", "--tuning.learning-rate-span"),  # and not --training.learning-rate
        ("--trainer.seed", "--training.seed"),  # and not --generation.seed
        ("--publish.learning-rate", "--training.learning-rate"),  # no field of its group is near
        ("--data.shema", "--data.schema"),
        ("--output", "--output-dir"),
    ],
)
def test_the_nearest_field_of_the_same_group_is_suggested(flag: str, nearest: str) -> None:
    assert problems_of([flag, "3"]) == (f"{flag}: there is no such flag. Did you mean {nearest}? See --help.",)


def test_a_flag_without_a_value_hides_no_other_problem() -> None:
    assert [problem.split(":")[0] for problem in problems_of(["--training.seed", "--training.epochs", "many"])] == [
        "--training.seed", "training.epochs",
    ]  # fmt: skip


def test_what_may_be_a_secret_is_never_repeated() -> None:
    problems = problems_of(["--publish.token-env", "hf_secret", "--publish.endpoint", "https://me:secret@hub"])

    assert len(problems) == 2
    assert "secret" not in "".join(problems)


def test_a_configuration_cannot_be_changed() -> None:
    config = load_config([], {})

    with pytest.raises(ValidationError, match="frozen"):
        config.training.epochs = 3  # type: ignore[misc]


def test_rules_over_several_fields_hold_without_a_command_line_too() -> None:
    with pytest.raises(ValidationError, match="num_heads must divide"):
        PipelineConfig.model_validate({"model": {"hidden_dim": 128, "num_heads": 5}})


def test_help_explains_every_field_without_tensorflow() -> None:
    shown = subprocess.run(
        [sys.executable, "-X", "importtime", "local_runner.py", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in shown.stderr.splitlines()}

    assert [name for name in field_names() if "--" + name.replace("_", "-") not in shown.stdout] == []
    assert "pydantic" in imported
    assert not {"tensorflow", "keras", "tfx", "apache_beam"} & imported, "what a user waits for"


def test_names_that_mean_nothing_are_told_together_each_by_its_setting_once() -> None:
    flags = {
        "data.prompt-format": "alpaka",
        "model.family": "gpt3",
        "export.extra": "no_such_module:FORM",
        "publish.exports": "transformers,ctranslte2",
    }
    with pytest.raises(ConfigError) as raised:
        load_config([part for name, value in flags.items() for part in (f"--{name}", value)], {})

    problems = [line for line in str(raised.value).splitlines() if " takes " in line or " must name " in line]
    assert [problem.split()[0 if problem[0].isalpha() else 1] for problem in problems] == [
        "data.prompt_format",
        "publish.exports",
        "model.family",
        "export.extra",
    ]
    assert all(problem.count(problem.split()[0]) == 1 for problem in problems)
