"""Fields that a run can still set: how they are declared, and how they reach Trainer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import PipelineConfig
from pipeline.config.sources import load_config
from pipeline.kubeflow.parameters import add_parameters, allowed_fields, apply_parameters, parameter_name
from publishing.settings import PublishSettings


def spec_with(*components: str) -> dict[str, Any]:
    """A compiled pipeline's skeleton, in which ImportExampleGen has its input as a constant."""
    spec: dict[str, Any] = {
        "components": {name: {"inputDefinitions": {}} for name in components},
        "root": {"dag": {"tasks": {name: {"inputs": {}} for name in components}}},
    }
    if "ImportExampleGen" in components:
        constant = {"input_base": {"runtimeValue": {"constant": "/app/rows"}}}
        spec["root"]["dag"]["tasks"]["ImportExampleGen"]["inputs"]["parameters"] = constant
    return spec


def settings(**changes: Any) -> str:
    """Trainer's custom_config."""
    config = PipelineConfig().model_dump(mode="json", include={"model", "training", "generation"})
    config["training"] |= changes
    return json.dumps(config | {"fingerprint": "abc"})


def config_with(*fields: str) -> PipelineConfig:
    return load_config(["--kubeflow.parameters", ",".join(fields)], {})


def test_a_parameter_is_named_as_its_environment_variable() -> None:
    assert parameter_name("training.learning_rate") == "training__learning_rate"


def test_a_components_input_becomes_a_parameter_with_the_constant_as_default() -> None:
    spec = spec_with("ImportExampleGen")

    add_parameters(spec, config_with("data.path"))

    given = spec["root"]["dag"]["tasks"]["ImportExampleGen"]["inputs"]["parameters"]
    assert given == {"input_base": {"componentInputParameter": "data__path"}}
    assert spec["root"]["inputDefinitions"]["parameters"]["data__path"] == {
        "parameterType": "STRING",
        "defaultValue": "/app/rows",
        "isOptional": True,
        "description": "Folder with the TFRecord files.",
    }


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("training.epochs", "NUMBER_INTEGER"),
        ("training.learning_rate", "NUMBER_DOUBLE"),
        ("training.packing", "STRING"),
        ("training.max_steps", "STRING"),  # a number or `none`
        ("model.preset", "STRING"),
    ],
)
def test_a_parameter_of_training_has_its_fields_type(field: str, kind: str) -> None:
    spec = spec_with("Trainer")

    add_parameters(spec, config_with(field))

    name = parameter_name(field)
    assert spec["root"]["inputDefinitions"]["parameters"][name]["parameterType"] == kind
    assert spec["components"]["Trainer"]["inputDefinitions"]["parameters"] == {name: {"parameterType": kind}}
    assert spec["root"]["dag"]["tasks"]["Trainer"]["inputs"]["parameters"] == {name: {"componentInputParameter": name}}


@pytest.mark.parametrize(
    ("field", "written", "default"),
    [
        ("training.seed", "7", 7),
        ("training.learning_rate", "0.25", 0.25),
        ("training.max_steps", "7", "7"),
        ("training.max_steps", "none", "none"),
        ("model.preset", "none", "none"),
    ],
)
def test_a_parameter_defaults_to_the_configured_value(field: str, written: str, default: Any) -> None:
    config = load_config(["--kubeflow.parameters", field, "--" + field.replace("_", "-"), written], {})
    spec = spec_with("Trainer")

    add_parameters(spec, config)

    assert spec["root"]["inputDefinitions"]["parameters"][parameter_name(field)]["defaultValue"] == default


def test_parameters_of_a_component_that_the_pipeline_lacks_are_left_out() -> None:
    spec = spec_with("Trainer")

    add_parameters(spec, config_with("publish.repo_id"))

    assert "inputDefinitions" not in spec["root"]


def test_neither_secrets_nor_places_can_be_parameters() -> None:
    allowed = allowed_fields()

    assert not {"publish.token_env", "publish.endpoint", "kubeflow.token_secret", "output_dir"} & set(allowed)
    assert {"training.learning_rate", "generation.temperature", "model.dropout", "data.path"} <= set(allowed)


def test_the_values_of_a_run_reach_custom_config() -> None:
    given = {
        "custom_config": settings(),
        "run_fn": "modules.trainer.run_fn",
        "training__epochs": 3.0,  # every number of JSON is a float to Kubeflow
        "training__learning_rate": 0.01,
        "training__max_steps": "none",
    }

    chosen = apply_parameters(given)

    assert chosen.keys() == {"custom_config", "run_fn"}
    expected = json.loads(settings(epochs=3, learning_rate=0.01, max_steps=None))
    assert json.loads(chosen["custom_config"]) == expected
    assert isinstance(json.loads(chosen["custom_config"])["training"]["epochs"], int)


def test_a_count_that_may_be_none_is_written_as_text() -> None:
    chosen = apply_parameters({"custom_config": settings(), "training__max_steps": "7"})

    assert json.loads(chosen["custom_config"])["training"]["max_steps"] == 7


def test_a_component_without_such_parameters_is_left_alone() -> None:
    assert apply_parameters({"input_base": "/data"}) == {"input_base": "/data"}


def test_a_value_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 10"):
        apply_parameters({"custom_config": settings(), "training__learning_rate": 50.0})


def test_values_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValidationError, match="cannot exceed the model's context"):
        apply_parameters({"custom_config": settings(), "training__sequence_length": 4096.0})


def publish_settings(**changes: Any) -> str:
    """HFPusher's settings."""
    fields = {"repo_id": "me/model", "endpoint": "https://hub", "license": "mit"} | changes
    return PublishSettings(**fields).model_dump_json()


@pytest.mark.parametrize(("written", "license"), [("cc0-1.0", "cc0-1.0"), ("none", None)])
def test_a_runs_repository_and_licence_reach_the_settings_of_hfpusher(written: str, license: str | None) -> None:
    given = {"settings": publish_settings(), "publish__repo_id": "you/model", "publish__license": written}

    chosen = apply_parameters(given)

    assert chosen.keys() == {"settings"}
    expected = PublishSettings(repo_id="you/model", endpoint="https://hub", license=license)
    assert PublishSettings.model_validate_json(chosen["settings"]) == expected


def test_a_repository_without_a_namespace_is_refused() -> None:
    with pytest.raises(ValidationError, match="repo_id"):
        apply_parameters({"settings": publish_settings(), "publish__repo_id": "model"})


def test_only_a_component_with_a_space_takes_the_name_of_one() -> None:
    for space, taken in ((None, False), ("me/demo", True)):
        spec = spec_with("HFPusher")
        constant = publish_settings(space_repo_id=space, space_template="space")
        spec["root"]["dag"]["tasks"]["HFPusher"]["inputs"]["parameters"] = {
            "settings": {"runtimeValue": {"constant": constant}}
        }

        add_parameters(spec, config_with("publish.space_repo_id"))

        given = spec["root"]["dag"]["tasks"]["HFPusher"]["inputs"]["parameters"]
        assert ("publish__space_repo_id" in given) == taken
