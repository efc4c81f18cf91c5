"""``create_pipeline``: the components and how they hang together, for every runner."""

from __future__ import annotations

from collections.abc import Iterable

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.types import BaseChannel

from pipeline.beam import beam_arguments
from pipeline.components.data_gate.component import DataGate
from pipeline.components.serving_proof.component import ServingProof
from pipeline.config import PipelineConfig
from pipeline.layout import metadata_path, pipeline_root
from pipeline.nodes.data import DescribedData, describe_data, make_data_gate, make_data_resolver
from pipeline.nodes.evaluation import Evaluation, make_evaluation
from pipeline.nodes.models import make_initial_model
from pipeline.nodes.publication import make_pusher
from pipeline.nodes.training import make_trainer, make_transform, make_tuner, training_inputs


def create_pipeline(
    config: PipelineConfig, *, project_dir: str = "", root: str = "", has_history: bool = True
) -> Pipeline:
    """Returns the pipeline that `config` describes; builds a graph, runs nothing.

    Args:
        config: what to build.
        project_dir: folder of this project where the components will run, if that is another machine; relative
            paths start there.
        root: where artifacts go there, if not below `config.output_dir`.
        has_history: whether a component can look up what earlier runs made. Kubeflow's cannot: there the published
            model stands for the last blessed one.
    """
    data = describe_data(config, project_dir)
    initial_model = make_initial_model(config, project_dir)
    resolver = make_data_resolver(config, data, project_dir) if has_history else None
    gate = make_data_gate(config, data, resolver=resolver, initial_model=initial_model, project_dir=project_dir)
    transform = make_transform(config, data, gate)
    inputs = training_inputs(data, transform, initial_model)
    tuner = make_tuner(config, inputs, project_dir) if config.tuning.enabled else None
    trainer = make_trainer(config, inputs, tuner=tuner, project_dir=project_dir, ephemeral=bool(root))
    model, evaluation, proof, pusher = trainer.outputs["model"], None, None, None
    if config.evaluation.enabled:
        evaluation = make_evaluation(config, data, model, project_dir=project_dir, has_history=has_history)
    if config.evaluation.prove_serving:
        proof = ServingProof(model=model, extra=config.export.extra)
    if config.publish.enabled:
        pusher = make_pusher(config, model, _findings(data, gate, evaluation, proof), project_dir)
    judges = evaluation.nodes if evaluation else []
    nodes = [*data.nodes, initial_model, resolver, gate, transform, tuner, trainer, *judges, proof, pusher]
    return _assemble(config, nodes, root)


def _findings(
    data: DescribedData, gate: DataGate, evaluation: Evaluation | None, proof: ServingProof | None
) -> dict[str, BaseChannel]:
    """Returns HFPusher's optional inputs: the verdicts that there are, and what the card reports of the data."""
    findings = {"statistics": data.statistics, "data_blessing": gate.outputs["blessing"]}
    if evaluation:
        findings["evaluation"] = evaluation.evaluator.outputs["evaluation"]
        findings["model_blessing"] = evaluation.evaluator.outputs["blessing"]
    if proof:
        findings["infra_blessing"] = proof.outputs["blessing"]
    return findings


def _assemble(config: PipelineConfig, nodes: Iterable[BaseNode | None], root: str) -> Pipeline:
    """Returns the pipeline of those nodes that there are."""
    return Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=root or str(pipeline_root(config.output_dir, config.pipeline_name)),
        components=[node for node in nodes if node is not None],
        enable_cache=config.enable_cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(metadata_path(config.output_dir, config.pipeline_name))
        ),
        beam_pipeline_args=beam_arguments(config.beam),
    )
