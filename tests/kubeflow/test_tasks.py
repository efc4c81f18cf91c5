"""Leaving out what Kubeflow cannot run."""

from __future__ import annotations

from typing import Any

from pipeline.kubeflow.tasks import drop_resolvers


def spec_with_resolver() -> dict[str, Any]:
    """A component that takes a model from another and, where there is one, an earlier model to compare with."""
    earlier = {"taskOutputArtifact": {"producerTask": "Resolver", "outputArtifactKey": "model"}}
    model = {"taskOutputArtifact": {"producerTask": "Trainer", "outputArtifactKey": "model"}}
    return {
        "components": {
            "Trainer": {"executorLabel": "Trainer_executor"},
            "Resolver": {"executorLabel": "Resolver_executor"},
            "Evaluator": {
                "executorLabel": "Evaluator_executor",
                "inputDefinitions": {"artifacts": {"model": {}, "baseline_model": {}}},
            },
        },
        "deploymentSpec": {
            "executors": {
                "Trainer_executor": {"container": {}},
                "Resolver_executor": {"resolver": {}},
                "Evaluator_executor": {"container": {}},
            }
        },
        "root": {
            "dag": {
                "tasks": {
                    "Trainer": {"componentRef": {"name": "Trainer"}},
                    "Resolver": {"componentRef": {"name": "Resolver"}},
                    "Evaluator": {
                        "componentRef": {"name": "Evaluator"},
                        "dependentTasks": ["Resolver", "Trainer"],
                        "inputs": {"artifacts": {"model": model, "baseline_model": earlier}},
                    },
                }
            }
        },
    }


def test_a_resolver_and_what_would_come_from_it_are_left_out() -> None:
    spec = spec_with_resolver()

    drop_resolvers(spec)

    tasks = spec["root"]["dag"]["tasks"]
    assert tasks.keys() == {"Trainer", "Evaluator"}
    assert tasks["Evaluator"]["dependentTasks"] == ["Trainer"]
    assert tasks["Evaluator"]["inputs"]["artifacts"].keys() == {"model"}
    assert spec["components"].keys() == {"Trainer", "Evaluator"}
    assert spec["components"]["Evaluator"]["inputDefinitions"]["artifacts"].keys() == {"model"}
    assert spec["deploymentSpec"]["executors"].keys() == {"Trainer_executor", "Evaluator_executor"}


def test_a_pipeline_without_resolvers_is_left_alone() -> None:
    spec = spec_with_resolver()
    drop_resolvers(spec)
    before = repr(spec)

    drop_resolvers(spec)

    assert repr(spec) == before
