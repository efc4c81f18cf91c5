"""Describes a component's record, or its artifact, in a few words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modules.record import Record
from modules.training_record import TrainingRecord
from modules.trials import read_trials
from pipeline.components.answer_quality.record import AnswerRecord
from pipeline.components.data_gate.record import DataRecord
from pipeline.components.evaluator.record import EvaluationRecord
from pipeline.components.hf_pusher.record import PublicationRecord
from pipeline.components.serving_proof.record import ProofRecord
from pipeline.report.formatting import steps
from publishing.downloads import Download

if TYPE_CHECKING:
    from tfx.types import Artifact

    from pipeline.local.dag_runner import NodeRun

SomeRecord = TypeVar("SomeRecord", bound=Record)


def result_of(node: NodeRun) -> str:
    """Returns the result in a few words; empty for a component unknown here."""
    describe = _DESCRIPTIONS.get(node.node_id)
    return describe(node) if describe else ""


def training(node: NodeRun) -> TrainingRecord:
    """Returns the Trainer's record."""
    return _record(TrainingRecord, node, "model", "exports")


def publication(node: NodeRun) -> PublicationRecord:
    """Returns HFPusher's record."""
    return _record(PublicationRecord, node, "pushed_model")


def evaluation(node: NodeRun) -> EvaluationRecord:
    """Returns the Evaluator's record."""
    return _record(EvaluationRecord, node, "evaluation")


def answers(node: NodeRun) -> AnswerRecord:
    """Returns AnswerQuality's record."""
    return _record(AnswerRecord, node, "answers")


def proof(node: NodeRun) -> ProofRecord:
    """Returns ServingProof's record."""
    return _record(ProofRecord, node, "blessing")


def evaluation_figures(record: EvaluationRecord) -> str:
    """Returns the figures over all rows, against the last blessed model's where there is one."""
    now, before = record.overall.candidate, record.overall.baseline
    figures = [f"loss {now['loss']:.3f}", f"perplexity {now['perplexity']:,.2f}"]
    figures.append(f"token accuracy {now['token_accuracy']:.1%}")
    if before:
        figures.append(f"before: loss {before['loss']:.3f}, token accuracy {before['token_accuracy']:.1%}")
    return " · ".join(figures)


def training_figures(record: TrainingRecord) -> str:
    """Returns loss and speed, and what became of the rows where that is not as usual."""
    figures = [
        f"loss {record.train_loss:.3f}",
        f"{record.supervised_tokens_per_second:,.0f} supervised tokens/s",
    ]
    if record.stop_reason:
        figures.append(f"stopped early, after {steps(record)}")
    rows = record.data["train"]
    if rows.rows_dropped:
        figures.append(f"{rows.rows_dropped:,} of {rows.rows_read:,} rows too long and dropped")
    if rows.rows_truncated:
        figures.append(f"{rows.rows_truncated:,} of {rows.rows_read:,} prompts cut")
    if rows.rows_split:
        figures.append(f"{rows.rows_split:,} of {rows.rows_read:,} documents parted")
    return " · ".join(figures)


def answer_figures(record: AnswerRecord) -> str:
    """Returns the answers' figures, beside the last blessed model's where there is one."""
    now, before = record.candidate, record.baseline
    if now is None:
        return "no rows to ask"
    figures = [f"exact {now['exact_match']:.0%}", f"ROUGE-L {now['rouge_l']:.2f}", f"BLEU {now['bleu']:.1f}"]
    figures.append(f"{now['stopped']:.0%} of {record.rows} answers end by themselves")
    if before:
        figures.append(f"before: exact {before['exact_match']:.0%}, ROUGE-L {before['rouge_l']:.2f}")
    return " · ".join(figures)


def _record(record_type: type[SomeRecord], node: NodeRun, key: str, *subfolders: str) -> SomeRecord:
    return record_type.read("/".join([_single_artifact(node, key).uri, *subfolders]))


def _single_artifact(node: NodeRun, key: str) -> Artifact:
    (artifact,) = node.outputs[key]
    return artifact


def _files(node: NodeRun) -> str:
    folder = Path(_single_artifact(node, "examples").uri)
    splits = sorted(path.name.removeprefix("Split-") for path in folder.glob("Split-*"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"splits {', '.join(reversed(splits))} · {size / 1024:,.0f} KiB"


def _statistics(node: NodeRun) -> str:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    counts = []
    for path in sorted(Path(_single_artifact(node, "statistics").uri).glob("Split-*/FeatureStats.pb"), reverse=True):
        statistics = DatasetFeatureStatisticsList.FromString(path.read_bytes())
        counts.append(f"{path.parent.name.removeprefix('Split-')} {statistics.datasets[0].num_examples:,}")
    return f"{' · '.join(counts)} rows"


def _schema(node: NodeRun) -> str:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    text = (Path(_single_artifact(node, "schema").uri) / "schema.pbtxt").read_text(encoding="utf-8")
    return f"features {', '.join(feature.name for feature in text_format.Parse(text, Schema()).feature)}"


def _anomalies(node: NodeRun) -> str:
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

    paths = Path(_single_artifact(node, "anomalies").uri).glob("Split-*/SchemaDiff.pb")
    found = sum(len(Anomalies.FromString(path.read_bytes()).anomaly_info) for path in paths)
    return "no anomalies" if not found else f"anomalies in {found} features"


def _gate(node: NodeRun) -> str:
    record = _record(DataRecord, node, "blessing")
    allowed = sorted({anomaly.name for anomaly in record.allowed})
    remark = f" · let through: {', '.join(allowed)}" if allowed else ""
    return f"{sum(record.rows.values()):,} rows are fit for training{remark}"


def _earlier_data(node: NodeRun) -> str:
    blessings = node.outputs.get("earlier")
    return f"rows of run {Path(blessings[0].uri).name}" if blessings else "no earlier run to compare the rows with"


def _tuner(node: NodeRun) -> str:
    trials = read_trials(_single_artifact(node, "tuner_results").uri)
    best = min(trials, key=lambda trial: trial.score)
    chosen = [f"{name.rpartition('.')[2]} {value:.4g}" for name, value in best.hyperparameters.items()]
    return f"best of {len(trials)} trials: {', '.join(chosen)} · evaluation loss {best.score:.3f}"


def _trainer(node: NodeRun) -> str:
    return training_figures(training(node))


def _baseline(node: NodeRun) -> str:
    models = node.outputs.get("model", ())
    if models:
        return f"model {Path(models[0].uri).name} was blessed last"
    return "the model blessed last is gone" if node.outputs.get("model_blessing") else "none was blessed before"


def _published(node: NodeRun) -> str:
    record = Download.read(Path(_single_artifact(node, "model").uri))
    assert record is not None  # the component always leaves one
    return record.reason or f"main of {record.repo_id}, commit {(record.commit or '')[:7]}"


def _start(node: NodeRun) -> str:
    model = _single_artifact(node, "model")
    repo_id, commit = (model.get_string_custom_property(name) for name in ("repo_id", "commit"))
    return f"{repo_id}, commit {commit[:7]}"


def _evaluator(node: NodeRun) -> str:
    record = evaluation(node)
    return f"{'blessed' if record.blessed else 'not blessed'} · {evaluation_figures(record)}"


def _proof(node: NodeRun) -> str:
    forms = proof(node).forms
    wrong = sorted(name for name, result in forms.items() if not result.can_serve)
    if wrong:
        return f"not fit to serve: {', '.join(wrong)}"
    asked = forms["transformers"].requests
    words = f"{', '.join(forms)} agree on {asked} requests"
    rounded = forms.get("ctranslate2")
    if rounded and rounded.same_answers is not None and rounded.same_answers < asked:
        words += f" (ctranslate2, in int8, gives the same answer to {rounded.same_answers})"
    return words


def _pusher(node: NodeRun) -> str:
    record = publication(node)
    if not record.pushed:
        return f"not published: {record.not_pushed_reason}"
    return f"{record.revision}{' was already published' if record.already_published else ''}"


_DESCRIPTIONS: Mapping[str, Callable[[NodeRun], str]] = {
    "ImportExampleGen": _files,
    "StatisticsGen": _statistics,
    "SchemaGen": _schema,
    "ImportSchemaGen": _schema,
    "ExampleValidator": _anomalies,
    "DataResolver": _earlier_data,
    "DataGate": _gate,
    "Transform": lambda node: "prompt, response",
    "Tuner": _tuner,
    "InitialModel": _start,
    "Trainer": _trainer,
    "BaselineResolver": _baseline,
    "BaselineModel": _published,
    "AnswerQuality": lambda node: answer_figures(answers(node)),
    "Evaluator": _evaluator,
    "ServingProof": _proof,
    "HFPusher": _pusher,
}
