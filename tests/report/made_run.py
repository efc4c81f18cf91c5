"""A run as TFX leaves it: a real metadata store, and the files that it points at."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from data import records
from data.tfrecords import Row, write_examples
from modules.training_record import TrainingRecord
from pipeline.components.artifact_reference import ArtifactReference
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.data_gate.texts import TextSurvey, hash_rows
from pipeline.components.evaluator.record import EvaluationRecord, SliceFigures
from pipeline.components.hf_pusher.record import PublicationRecord, RecordedFile
from pipeline.evaluation import judge, parse_all
from pipeline.layout import metadata_path, pipeline_root
from pipeline.report.run_record import RunRecord, write_record

PIPELINE = "tiny"
RUN = "20261122-010203-000001"
ROWS = {
    "train": [Row("Add them.", "1 and 2", "3"), Row("Name a colour.", "", "red"), Row("Name a colour.", " ", "blue")],
    "eval": [Row("Add them.", "2 and 2", "4")],
}
GRAPH = {
    "ImportExampleGen": [],
    "StatisticsGen": ["ImportExampleGen"],
    "ExampleValidator": ["StatisticsGen"],
    "DataGate": ["ExampleValidator", "ImportExampleGen"],
    "Trainer": ["DataGate", "ImportExampleGen"],
    "Evaluator": ["Trainer", "ImportExampleGen"],
    "HFPusher": ["Evaluator", "Trainer"],
}
COMPLETE, CACHED, FAILED, RUNNING = (
    mlmd.Execution.COMPLETE,
    mlmd.Execution.CACHED,
    mlmd.Execution.FAILED,
    mlmd.Execution.RUNNING,
)


@dataclass
class MadeStore:
    """Writes executions into the metadata store of one pipeline, as TFX's launcher does."""

    output: Path
    pipeline_name: str = PIPELINE
    store: MetadataStore = field(init=False)

    def __post_init__(self) -> None:
        path = metadata_path(str(self.output), self.pipeline_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        sqlite = mlmd.SqliteMetadataSourceConfig(
            filename_uri=str(path), connection_mode=mlmd.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        )
        self.store = MetadataStore(mlmd.ConnectionConfig(sqlite=sqlite))

    @property
    def root(self) -> Path:
        """Folder of the artifacts."""
        return pipeline_root(str(self.output), self.pipeline_name)

    def execute(
        self,
        run_id: str,
        node_id: str,
        *,
        outputs: Mapping[str, int] | None = None,
        inputs: Mapping[str, int] | None = None,
        properties: Mapping[str, str | int] | None = None,
        state: Any = COMPLETE,
    ) -> int:
        """Records that a component ran; returns the execution's id.

        Args:
            run_id: of the run.
            node_id: of the component.
            outputs: artifact ids by key.
            inputs: likewise.
            properties: parameters.
            state: how it ended.
        """
        execution = mlmd.Execution(type_id=self._type(mlmd.ExecutionType, node_id), last_known_state=state)
        _fill(execution, properties or {})
        events = [_event(each, key, mlmd.Event.INPUT) for key, each in (inputs or {}).items()]
        events += [_event(each, key, mlmd.Event.OUTPUT) for key, each in (outputs or {}).items()]
        artifacts = [(self.store.get_artifacts_by_id([event.artifact_id])[0], event) for event in events]
        contexts = [
            mlmd.Context(type_id=self._type(mlmd.ContextType, kind), name=name)
            for kind, name in (("pipeline_run", run_id), ("node", f"{self.pipeline_name}.{node_id}"))
        ]
        number, *_ = self.store.put_execution(execution, artifacts, contexts, reuse_context_if_already_exist=True)
        time.sleep(0.002)  # runs are told apart by the millisecond
        return int(number)

    def artifact(self, kind: str, folder: Path | str, **properties: str | int) -> int:
        """Records an artifact; returns its id."""
        artifact = mlmd.Artifact(type_id=self._type(mlmd.ArtifactType, kind), uri=str(folder), state=mlmd.Artifact.LIVE)
        _fill(artifact, {"tfx_version": "1.21.0", **properties})
        (number,) = self.store.put_artifacts([artifact])
        return int(number)

    def record(self, run_id: str, **record: Any) -> None:
        """What a run writes of itself at its end."""
        assert write_record(metadata_path(str(self.output), self.pipeline_name), run_id, RunRecord(**record))

    def _type(self, kind: Any, name: str) -> int:
        put = {
            mlmd.ExecutionType: self.store.put_execution_type,
            mlmd.ContextType: self.store.put_context_type,
            mlmd.ArtifactType: self.store.put_artifact_type,
        }
        return int(put[kind](kind(name=name)))


def _fill(node: Any, properties: Mapping[str, str | int]) -> None:
    for name, value in properties.items():
        setattr(node.custom_properties[name], "int_value" if isinstance(value, int) else "string_value", value)


def _event(artifact_id: int, key: str, kind: Any) -> mlmd.Event:
    steps = [mlmd.Event.Path.Step(key=key), mlmd.Event.Path.Step(index=0)]
    return mlmd.Event(artifact_id=artifact_id, type=kind, path=mlmd.Event.Path(steps=steps))


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_rows(folder: Path, rows: Mapping[str, Sequence[Row]] = ROWS) -> Path:
    for split, of_split in rows.items():
        write_examples(folder / f"Split-{split}" / "data.tfrecord", of_split)
    return folder


def write_statistics(folder: Path, rows: Mapping[str, Sequence[Row]] = ROWS) -> Path:
    for split, of_split in rows.items():
        statistics = statistics_pb2.DatasetFeatureStatistics(num_examples=len(of_split))
        for name in Row._fields:
            texts = [getattr(row, name) for row in of_split]
            feature = statistics.features.add(path={"step": [name]}, type=statistics_pb2.FeatureNameStatistics.STRING)
            feature.string_stats.unique = len(set(texts))
            feature.string_stats.avg_length = sum(map(len, texts)) / len(texts)
            feature.string_stats.common_stats.num_non_missing = len(texts)
        path = folder / f"Split-{split}" / "FeatureStats.pb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(statistics_pb2.DatasetFeatureStatisticsList(datasets=[statistics]).SerializeToString())
    return folder


def write_anomalies(folder: Path, words: str = "") -> Path:
    anomalies = anomalies_pb2.Anomalies()
    if words:
        anomalies.anomaly_info["input"].short_description = words
    path = folder / "Split-train" / "SchemaDiff.pb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(anomalies.SerializeToString())
    return folder


def write_curves(folder: Path, curves: Mapping[str, Sequence[tuple[int, float]]]) -> Path:
    """TensorBoard events by "<subfolder>/<tag>"."""
    for key, points in curves.items():
        subfolder, _, tag = key.partition("/")
        (folder / subfolder).mkdir(parents=True, exist_ok=True)
        with (folder / subfolder / f"events.out.tfevents.1.host.{tag}").open("wb") as file:
            for step, value in points:
                summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
                records.write_record(file, Event(step=step, summary=summary).SerializeToString())
    return folder


CONDITIONS = [
    *parse_all(["loss<=2.5"], is_change=False),
    *parse_all(["token_accuracy>=-0.01"], is_change=True),
]
TRAINING = {
    "parameters": 22304,
    "steps": 4,
    "train_loss": 1.25,
    "eval_loss": 1.5,
    "eval_token_accuracy": 0.75,
    "seconds": 12.0,
    "supervised_tokens_per_second": 500.0,
    "data": {"train": {"rows_read": 3, "rows_dropped": 1, "pad_fraction": 0.25}},
    "samples": [{"prompt": "### Instruction:\nAdd them.\n\n### Input:\n2 and 2\n\n### Response:\n", "response": "4 ",
                 "expected": "4"}],
}  # fmt: skip
FILES = {"README.md": RecordedFile(size=512, sha256="0" * 64)}
PUBLISHED = PublicationRecord(
    pushed=True,
    repo_id="local/tiny",
    revision="v20261122-010304",
    url="http://127.0.0.1:8642/local/tiny",
    files=FILES,
)
REFUSED = PublicationRecord(
    pushed=False, repo_id="local/tiny", not_pushed_reason="the evaluation did not bless the model", files=FILES
)
CURVES = {
    "train/loss": [(1, 4.0), (2, 3.0), (4, 1.25)],
    "train/learning_rate": [(1, 0.002), (4, 0.0)],
    "eval/loss": [(2, 3.5), (4, 1.5)],
}


def gate_record(rows: Mapping[str, Sequence[Row]] = ROWS) -> DataRecord:
    """What DataGate counts of the rows."""
    surveys = {split: _survey(of_split) for split, of_split in rows.items()}
    return DataRecord(
        rows={split: len(of_split) for split, of_split in rows.items()},
        texts={split: survey.columns() for split, survey in surveys.items()},
        content_hash=hash_rows(surveys),
        shares={"train": {"overlong": 0.0}},
    )


def _survey(rows: Sequence[Row]) -> TextSurvey:
    survey = TextSurvey()
    for row in rows:
        survey.add(row)
    return survey


def evaluation_record(*, blessed: bool = True, loss: float = 1.5, before: float | None = None) -> EvaluationRecord:
    def figures(value: float) -> dict[str, float]:
        return {"loss": value, "token_accuracy": 0.75, "rows": 1.0}

    rows: list[dict[str, Any]] = [
        {"slice": {}, "candidate": figures(loss)},
        {"slice": {"with_input": "yes"}, "candidate": figures(loss)},
    ]
    if before is not None:
        for row in rows:
            row["baseline"] = figures(before)
    now, then = {None: figures(loss)}, None if before is None else {None: figures(before)}
    return EvaluationRecord(
        blessed=blessed,
        conditions=tuple(judge(CONDITIONS, now, then)),
        reasons=() if blessed else (f"loss is {loss}, and must be at most 2.5",),
        baseline=None if before is None else ArtifactReference(id=1, uri="/gone/Trainer/model/1"),
        slices=tuple(SliceFigures.model_validate(row) for row in rows),
    )


@dataclass(frozen=True)
class Settings:
    """What is particular about a made run."""

    run_id: str = RUN
    learning_rate: float = 0.002
    blessed: bool = True
    loss: float = 1.5
    before: float | None = None
    training: Mapping[str, Any] = field(default_factory=lambda: TRAINING)
    rows: Mapping[str, Sequence[Row]] = field(default_factory=lambda: ROWS)
    recorded: bool = True


def make_run(output: Path, settings: Settings | None = None, *, pipeline_name: str = PIPELINE) -> MadeStore:
    """A whole run, from rows to a publication or a refusal."""
    settings = settings or Settings()
    made = MadeStore(output, pipeline_name)
    run_id, files = settings.run_id, made.root / settings.run_id
    rows = made.artifact("Examples", write_rows(files / "rows", settings.rows))
    made.execute(run_id, "ImportExampleGen", outputs={"examples": rows}, properties={"input_base": "data/sample"})
    statistics = made.artifact("ExampleStatistics", write_statistics(files / "statistics", settings.rows))
    made.execute(run_id, "StatisticsGen", inputs={"examples": rows}, outputs={"statistics": statistics})
    anomalies = made.artifact("ExampleAnomalies", write_anomalies(files / "anomalies"))
    made.execute(run_id, "ExampleValidator", inputs={"statistics": statistics}, outputs={"anomalies": anomalies})
    gate_record(settings.rows).write(files / "gate")
    gate = made.artifact("pipeline.DataBlessing", files / "gate", train_rows=3)
    told = {"allow": json.dumps(["skew", "drift"]), "limits": json.dumps({"overlong": 0.01})}
    inputs = {"examples": rows, "anomalies": anomalies}
    made.execute(run_id, "DataGate", inputs=inputs, outputs={"blessing": gate}, properties=told)
    model = _train(made, settings, files, rows)
    blessing = _evaluate(made, settings, files, {"examples": rows, "model": model})
    _publish(made, settings, files, {"model": model, "model_blessing": blessing})
    if settings.recorded:
        made.record(run_id, profile="quickstart", seconds=42.0, log="output/logs/x.log", graph=GRAPH,
                    versions={"python": "3.11.7", "tfx": "1.21.0"})  # fmt: skip
    return made


def _train(made: MadeStore, settings: Settings, files: Path, rows: int) -> int:
    TrainingRecord.model_validate(settings.training).write(files / "model" / "exports")
    for name, size in (("Format-Serving/saved_model.pb", 2048), ("exports/transformers/model.safetensors", 1024)):
        path = files / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    model = made.artifact("Model", files / "model")
    curves = made.artifact("ModelRun", write_curves(files / "curves", CURVES))
    custom = {"training": {"learning_rate": settings.learning_rate, "max_steps": None}, "fingerprint": "abc"}
    made.execute(
        settings.run_id,
        "Trainer",
        inputs={"examples": rows},
        outputs={"model": model, "model_run": curves},
        properties={"custom_config": json.dumps(custom), "run_fn": "modules.trainer.run_fn"},
    )
    return model


def _evaluate(made: MadeStore, settings: Settings, files: Path, inputs: Mapping[str, int]) -> int:
    record = evaluation_record(blessed=settings.blessed, loss=settings.loss, before=settings.before)
    record.write(files / "evaluation")
    evaluation = made.artifact("ModelEvaluation", files / "evaluation")
    blessing = made.artifact("ModelBlessing", files / "evaluation", blessed=int(settings.blessed))
    made.execute(
        settings.run_id,
        "Evaluator",
        inputs=inputs,
        outputs={"evaluation": evaluation, "blessing": blessing},
    )
    return blessing


def _publish(made: MadeStore, settings: Settings, files: Path, inputs: Mapping[str, int]) -> None:
    record = PUBLISHED if settings.blessed else REFUSED
    record.write(files / "pushed")
    pushed = made.artifact("PushedModel", files / "pushed", **record.properties)
    made.execute(settings.run_id, "HFPusher", inputs=inputs, outputs={"pushed_model": pushed},
                 properties={"settings": json.dumps({"repo_id": "local/tiny", "private": False})})  # fmt: skip
