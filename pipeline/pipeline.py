"""``create_pipeline``: the components and how they hang together, for every runner."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

from tfx.components import (
    ExampleValidator,
    SchemaGen,
    StatisticsGen,
    Trainer,
    Transform,
    Tuner,
)
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.resolver import Resolver
from tfx.orchestration import metadata
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import example_gen_pb2, trainer_pb2
from tfx.types import BaseChannel, Channel
from tfx.types.standard_artifacts import Model, ModelBlessing

from modules.fingerprint import fingerprint
from modules.models.families import find_family
from modules.registry import reference_fingerprint
from modules.settings.model import ModelSettings
from modules.settings.rows import PreprocessingSettings, RowSettings
from modules.settings.run import RunSettings, TunerSettings
from pipeline.components.answer_quality.component import AnswerQuality
from pipeline.components.data_gate.anomalies import Limits
from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.data_gate.component import DataGate
from pipeline.components.data_gate.earlier import EARLIER, STATISTICS, LastAcceptedDataStrategy
from pipeline.components.data_gate.tokens import TokenLimits
from pipeline.components.evaluator.baseline import BLESSING, CANDIDATE, MODEL, PreviousBlessedModelStrategy
from pipeline.components.evaluator.component import Evaluator
from pipeline.components.example_gen.component import import_example_gen
from pipeline.components.hf_pusher.component import HFPusher
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from pipeline.components.model_downloader.component import ModelDownloader
from pipeline.components.model_downloader.executor import Purpose
from pipeline.components.serving_proof.component import ServingProof
from pipeline.config import PipelineConfig
from pipeline.config.cluster import BeamConfig
from pipeline.config.data import DataConfig
from pipeline.config.rules import context_length
from pipeline.dataset_manifest import dataset_manifest
from pipeline.evaluation import of_answers, of_scores, parse_all
from pipeline.initial_model import hub_revision
from pipeline.layout import CHECKPOINTS, absolute, hub_folder, metadata_path, pipeline_root
from publishing.revision_names import MAIN
from publishing.settings import DownloadSettings

INFER_SCHEMA = "infer"
# Fields, or groups of them, that decide how many tokens a row has and may have.
DECIDING_LENGTHS = ("model.", "training.sequence_length", "training.overlong")

BEAM_ARGUMENTS = (
    # By name: what Beam calls DirectRunner first looks for Prism, a Go binary that it downloads.
    "--runner=FnApiRunner",
    # One worker, in this process: 50,000 Alpaca rows take ImportExampleGen, StatisticsGen and Transform 14 s so, and
    # 43 s with two worker processes on two cores.
    "--direct_running_mode=in_memory",
    "--direct_num_workers=1",
    # An in-process worker needs no image and gets none, but without an answer TFX packs its own source code into an
    # archive for the workers, anew for every component.
    "--sdk_container_image=none",
)


# A word of the configuration and the runner's name at Beam. What each of them needs besides (a job endpoint, a
# master, a project and a region) is in beam.arguments.
BEAM_RUNNERS = {
    "portable": "PortableRunner",
    "flink": "FlinkRunner",
    "spark": "SparkRunner",
    "dataflow": "DataflowRunner",
}


def create_pipeline(config: PipelineConfig, *, home: str = "", root: str = "", remembers: bool = True) -> Pipeline:
    """The pipeline that `config` describes; builds a graph, runs nothing.

    Args:
        config: what to build.
        home: folder of this project where the components will run, if that is another machine; relative paths
            start there.
        root: where artifacts go there, if not below `config.output_dir`.
        remembers: whether a component can look up what earlier runs made. Kubeflow's cannot: there the published
            model stands for the last blessed one.
    """
    example_gen = import_example_gen(
        input_base=absolute(config.data.path, home),
        input_config=_splits(config.data),
        manifest_hash=_manifest_hash(config.data),
    )
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = _schema_gen(config.data.schema_, statistics_gen.outputs["statistics"], home)
    example_validator = ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    initial_model = _initial_model(config, home)
    gate_parts = _data_gate(
        config,
        example_gen,
        statistics_gen,
        schema_gen,
        example_validator,
        initial_model,
        home=home,
        remembers=remembers,
    )
    gate = gate_parts[-1]
    transform = Transform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn="modules.preprocessing.preprocessing_fn",
        custom_config=PreprocessingSettings(
            kind=config.data.kind,
            prompt_format=config.data.prompt_format,
            fingerprint=fingerprint("modules.preprocessing") + own_code(config),
        ).model_dump(mode="json"),
        # StatisticsGen has described the rows, and preprocessing computes nothing over them all that could be
        # reused.
        disable_statistics=True,
        disable_analyzer_cache=True,
    )
    transform.add_upstream_node(gate)
    tuner = _tuner(config, transform, schema_gen, initial_model, home) if config.tuning.enabled else None
    trainer = Trainer(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        run_fn="modules.trainer.run_fn",
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        hyperparameters=tuner.outputs["best_hyperparameters"] if tuner else None,
        base_model=initial_model.outputs[MODEL] if initial_model else None,
        custom_config=run_settings(config, home, elsewhere=bool(root)).to_json(),
    )
    components: list[BaseNode] = [
        example_gen, statistics_gen, schema_gen, example_validator, *([initial_model] if initial_model else []),
        *gate_parts, transform, *([tuner] if tuner else []), trainer,
    ]  # fmt: skip
    blessings: dict[str, BaseChannel] = {}
    if config.evaluation.enabled:
        judges = _judges(config, example_gen, schema_gen, trainer, home=home, remembers=remembers)
        components += judges
        blessings["model_blessing"] = judges[-1].outputs["blessing"]
    if config.evaluation.prove_serving:
        proof = ServingProof(model=trainer.outputs["model"], extra=config.export.extra)
        components.append(proof)
        blessings["infra_blessing"] = proof.outputs["blessing"]
    if config.publish.enabled:
        findings = {"statistics": statistics_gen.outputs["statistics"], "data_blessing": gate.outputs["blessing"]}
        if config.evaluation.enabled:
            findings["evaluation"] = judges[-1].outputs["evaluation"]
        components.append(_pusher(config, trainer.outputs["model"], blessings | findings, home))
    return Pipeline(
        pipeline_name=config.pipeline_name,
        pipeline_root=root or str(pipeline_root(config.output_dir, config.pipeline_name)),
        components=components,
        enable_cache=config.enable_cache,
        metadata_connection_config=metadata.sqlite_metadata_connection_config(
            str(metadata_path(config.output_dir, config.pipeline_name))
        ),
        beam_pipeline_args=beam_arguments(config.beam),
    )


def own_code(config: PipelineConfig) -> str:
    """Returns a hash of the user's own prompt format and model family; "" if there are none."""
    return reference_fingerprint([config.data.prompt_format, config.model.family])


def beam_arguments(beam: BeamConfig) -> list[str]:
    """Beam's pipeline options, the configured ones last, so that they win."""
    chosen = BEAM_ARGUMENTS if beam.runner == "direct" else (f"--runner={BEAM_RUNNERS[beam.runner]}",)
    return [*chosen, *beam.arguments]


def run_settings(config: PipelineConfig, home: str = "", *, elsewhere: bool = False) -> RunSettings:
    """Returns what Trainer is told: paths made absolute, and what the code and given files hash to.

    Args:
        config: what to train.
        home: folder of this project where Trainer will run.
        elsewhere: whether that is a machine that keeps nothing: there are checkpoints only in a folder that was
            named for them.
    """
    checkpoints = config.training.checkpoint_dir
    if checkpoints is None and not elsewhere:
        checkpoints = CHECKPOINTS  # an absolute path would keep a moved output folder from being a cache
    model, hashes = located(config.model, home)
    own = own_code(config) + reference_fingerprint([*config.export.extra, *config.training.callbacks])
    code = "".join([fingerprint("modules.trainer"), *hashes, own])
    return RunSettings(
        data=RowSettings(
            kind=config.data.kind,
            prompt_format=config.data.prompt_format,
            max_dropped=_max_dropped(config.data),
        ),
        model=model,
        training=config.training,
        generation=config.generation,
        export=config.export,
        checkpoints=checkpoints if checkpoints in (None, CHECKPOINTS) else absolute(checkpoints, home),
        fingerprint=hashlib.sha256(code.encode()).hexdigest(),
    )


def _initial_model(config: PipelineConfig, home: str) -> ModelDownloader | None:
    """Returns what downloads the published model that training starts from; None if it starts from another."""
    initial = hub_revision(config.model.preset)
    if initial is None:
        return None
    settings = _download_settings(config, initial.repo_id, home, revision=initial.revision)
    return ModelDownloader(purpose=Purpose.INITIAL_MODEL, settings=settings)


def _tuner(
    config: PipelineConfig, transform: BaseNode, schema_gen: BaseNode, initial_model: ModelDownloader | None, home: str
) -> Tuner:
    """What finds the hyperparameters that Trainer is given."""
    settings = run_settings(config, home, elsewhere=True)  # a trial leaves no checkpoints
    search = TunerSettings(tuning=config.tuning, code=fingerprint("modules.tuning"))
    return Tuner(
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        schema=schema_gen.outputs["schema"],
        tuner_fn="modules.tuning.tuner_fn",
        base_model=initial_model.outputs[MODEL] if initial_model else None,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        eval_args=trainer_pb2.EvalArgs(splits=["eval"]),
        custom_config=settings.to_json() | search.to_json(),
    )


def _max_dropped(data: DataConfig) -> float:
    return 1.0 if "dropped" in data.allow_anomalies else data.max_dropped


def located(model: ModelSettings, home: str) -> tuple[ModelSettings, list[str]]:
    """Returns `model` with its folders' paths made absolute, and a hash of each folder's files.

    Args:
        model: whose `preset` and `tokenizer_path` may name folders.
        home: folder of this project where the component will run.
    """
    named = {"preset": model.preset, "tokenizer_path": model.tokenizer_path}
    folders = {name: path for name, path in named.items() if path and Path(path).is_dir()}
    hashes = [folder_fingerprint(Path(absolute(path))) for path in folders.values()]
    return model.model_copy(update={name: absolute(path, home) for name, path in folders.items()}), hashes


def folder_fingerprint(folder: Path) -> str:
    """Hash of the names, sizes and times of a folder's files: TFX's cache sees only the folder's path.

    Times stand in for contents, which may be gigabytes of weights.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        status = path.stat()
        digest.update(f"{path.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _manifest_hash(data: DataConfig) -> str:
    """Hash of the data set's dataset.json, which TFX's cache key does not cover; empty where it cannot be read."""
    manifest = dataset_manifest(data)
    return hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest else ""


def _splits(data: DataConfig) -> example_gen_pb2.Input:
    split = example_gen_pb2.Input.Split
    return example_gen_pb2.Input(
        splits=[
            split(name="train", pattern=data.train_pattern),
            split(name="eval", pattern=data.eval_pattern),
        ]
    )


def _schema_gen(schema: str, statistics: BaseChannel, home: str) -> BaseNode:
    if schema == INFER_SCHEMA:
        return SchemaGen(statistics=statistics, infer_feature_shape=True)
    importer = ImportSchemaGen(schema_file=absolute(schema, home))
    # The path alone is in TFX's cache key; a flag of the executor, which it ignores, puts the contents there
    # too.
    importer.executor_spec.add_extra_flags(
        [f"--schema_sha256={hashlib.sha256(Path(absolute(schema)).read_bytes()).hexdigest()}"]
    )
    return importer


def _data_gate(
    config: PipelineConfig,
    example_gen: BaseNode,
    statistics_gen: BaseNode,
    schema_gen: BaseNode,
    example_validator: BaseNode,
    initial_model: ModelDownloader | None,
    *,
    home: str,
    remembers: bool,
) -> list[BaseNode]:
    """The DataGate, and before it what finds the rows to compare with."""
    data = config.data
    dataset, statistics = absolute(data.path, home), statistics_gen.outputs["statistics"]
    resolver = None
    if remembers:
        channels = {EARLIER: Channel(type=DataBlessing), STATISTICS: statistics}
        resolver = Resolver(strategy_class=LastAcceptedDataStrategy, config={"dataset": dataset}, **channels).with_id(
            "DataResolver"
        )
    gate = DataGate(
        examples=example_gen.outputs["examples"],
        statistics=statistics,
        schema=schema_gen.outputs["schema"],
        anomalies=example_validator.outputs["anomalies"],
        earlier=resolver.outputs[EARLIER] if resolver else None,
        base_model=initial_model.outputs[MODEL] if initial_model else None,
        limits=Limits(
            prompt_characters=data.max_prompt_characters,
            response_characters=data.max_response_characters,
            overlong=data.max_overlong,
            duplicates=data.max_duplicates,
            eval_in_train=data.max_eval_in_train,
            skew=data.max_skew,
            drift=data.max_drift,
        ),
        dataset=dataset,
        kind=data.kind,
        tokens=token_limits(config, home, remembers=remembers),
        allow=data.allow_anomalies,
    )
    return [resolver, gate] if resolver else [gate]


def token_limits(config: PipelineConfig, home: str = "", *, remembers: bool = True) -> TokenLimits | None:
    """Returns what DataGate counts tokens with; None if documents may have any length, or a run may still set it.

    Args:
        config: of the pipeline.
        home: folder of this project where DataGate will run.
        remembers: whether the pipeline runs here; where it is compiled for Kubeflow, a run has parameters.
    """
    settable = () if remembers else config.kubeflow.parameters
    if config.data.kind != "instructions" or any(field.startswith(DECIDING_LENGTHS) for field in settable):
        return None
    model, hashes = located(config.model, home)
    context = context_length(config)
    return TokenLimits(
        sequence_length=config.training.sequence_length,
        overlong=config.training.overlong,
        dropped=config.data.max_dropped,
        preset=model.preset,
        tokenizer_path=model.tokenizer_path,
        vocabulary_size=model.vocabulary_size,
        context=None if math.isinf(context) else int(context),
        given="".join([*hashes, own_code(config)]),
        prompt_format=config.data.prompt_format,
        family=config.model.family,
    )


def _judges(
    config: PipelineConfig,
    example_gen: BaseNode,
    schema_gen: BaseNode,
    trainer: BaseNode,
    *,
    home: str,
    remembers: bool,
) -> list[BaseNode]:
    """The Evaluator, and before it what finds the model to compare with and what asks both for answers."""
    settings = config.evaluation
    thresholds = parse_all(settings.thresholds, is_change=False)
    changes = parse_all(settings.against_baseline, is_change=True)
    baseline = _baseline(config, trainer.outputs["model"], home=home, remembers=remembers)
    examples, model = example_gen.outputs["examples"], trainer.outputs["model"]
    baseline_model = baseline.outputs[MODEL] if baseline else None
    answers = None
    if settings.answer_rows and config.data.kind == "instructions":
        answers = AnswerQuality(
            examples=examples,
            model=model,
            baseline_model=baseline_model,
            rows=settings.answer_rows,
            thresholds=[str(condition) for condition in of_answers(thresholds)],
            against_baseline=[str(condition) for condition in of_answers(changes)],
        )
    evaluator = Evaluator(
        examples=examples,
        schema=schema_gen.outputs["schema"],
        model=model,
        baseline_model=baseline_model,
        baseline_blessing=baseline.outputs[BLESSING] if isinstance(baseline, Resolver) else None,
        answers=answers.outputs["answers"] if answers else None,
        thresholds=[str(condition) for condition in of_scores(thresholds)],
        against_baseline=[str(condition) for condition in of_scores(changes)],
        slices=settings.slices,
    )
    return [node for node in (baseline, answers, evaluator) if node is not None]


def _baseline(config: PipelineConfig, candidate: BaseChannel, *, home: str, remembers: bool) -> BaseNode | None:
    """What brings the model to compare with; None where there can be none."""
    publish, baseline = config.publish, config.evaluation.baseline
    if baseline == "last_blessed" and remembers:
        channels = {MODEL: Channel(type=Model), BLESSING: Channel(type=ModelBlessing), CANDIDATE: candidate}
        return Resolver(strategy_class=PreviousBlessedModelStrategy, **channels).with_id("BaselineResolver")
    if baseline == "none" or not publish.enabled or "saved_model" not in publish.exports:
        return None
    return ModelDownloader(purpose=Purpose.BASELINE_MODEL, settings=_download_settings(config, publish.repo_id, home))


def _pusher(config: PipelineConfig, model: BaseChannel, verdicts: Mapping[str, BaseChannel], home: str) -> HFPusher:
    """Returns HFPusher; `verdicts` are its optional inputs, by name."""
    publish, template = config.publish, config.publish.space_template
    return HFPusher(
        model=model,
        **verdicts,
        settings=publish.settings(
            storage_dir=_hub_folder(config, home),
            space_template=absolute(template, home),
            family=find_family(config.model.family),
        ),
        fingerprint=publication_fingerprint(Path(absolute(template)) if publish.space else None),
    )


def _download_settings(config: PipelineConfig, repo_id: str, home: str, *, revision: str = MAIN) -> DownloadSettings:
    publish = config.publish
    return DownloadSettings(
        repo_id=repo_id,
        revision=revision,
        endpoint=publish.endpoint,
        token_env=publish.token_env,
        storage_dir=_hub_folder(config, home),
        local_port=publish.local_port,
    )


def _hub_folder(config: PipelineConfig, home: str) -> str:
    return str(hub_folder(absolute(config.output_dir, home)))
