"""What a component's artifacts say in a few words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.report.wording import steps

if TYPE_CHECKING:
    from tfx.types import Artifact

    from pipeline.local.dag_runner import NodeRun

PUBLICATION_KEYS = ("pushed", "already_published", "not_pushed_reason", "repo_id", "revision", "url", "space_repo_id")


def result_of(node: NodeRun) -> str:
    """The result in a few words; empty for a component unknown here."""
    describe = _DESCRIPTIONS.get(node.node_id)
    return describe(node) if describe else ""


def training_report(node: NodeRun) -> dict[str, Any]:
    """The Trainer's training.json."""
    path = Path(_only(node, "model").uri) / "exports" / "training.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def publication(node: NodeRun) -> dict[str, Any]:
    """HFPusher's record: pushed, repo_id, revision, url, …"""
    artifact = _only(node, "pushed_model")
    return {key: _custom_property(artifact, key) for key in PUBLICATION_KEYS}


def evaluation(node: NodeRun) -> dict[str, Any]:
    """The Evaluator's report.json: blessed, reasons, notes, baseline, slices."""
    path = Path(_only(node, "evaluation").uri) / "report.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def proof_reasons(node: NodeRun) -> list[str]:
    """Why ServingProof finds the exports not fit to serve; empty if they are."""
    reason = _custom_property(_only(node, "blessing"), "reason")
    return reason.split("; ") if reason else []


def evaluation_figures(report: Mapping[str, Any]) -> str:
    """The figures over all rows, against the last blessed model's where there is one."""
    overall = next(row for row in report["slices"] if not row["slice"])
    now, before = overall["candidate"], overall.get("baseline")
    figures = [f"loss {now['loss']:.3f}", f"perplexity {now['perplexity']:,.2f}"]
    figures.append(f"token accuracy {now['token_accuracy']:.1%}")
    if before:
        figures.append(f"before: loss {before['loss']:.3f}, token accuracy {before['token_accuracy']:.1%}")
    return " · ".join(figures)


def training_figures(report: Mapping[str, Any]) -> str:
    """Loss and speed."""
    figures = [
        f"loss {report['train_loss']:.3f}",
        f"{report['supervised_tokens_per_second']:,.0f} supervised tokens/s",
    ]
    if report.get("stop_reason"):
        figures.append(f"stopped early, after {steps(report)}")
    rows = report["data"]["train"]
    if rows["rows_dropped"]:
        figures.append(f"{rows['rows_dropped']:,} of {rows['rows_read']:,} rows too long and dropped")
    if rows["rows_truncated"]:
        figures.append(f"{rows['rows_truncated']:,} of {rows['rows_read']:,} prompts cut")
    if rows.get("rows_split"):
        figures.append(f"{rows['rows_split']:,} of {rows['rows_read']:,} documents parted")
    return " · ".join(figures)


def _only(node: NodeRun, key: str) -> Artifact:
    (artifact,) = node.outputs[key]
    return artifact


def _custom_property(artifact: Artifact, key: str) -> Any:
    if not artifact.has_custom_property(key):
        return None
    value = artifact.mlmd_artifact.custom_properties[key]
    return getattr(value, value.WhichOneof("value"))


def _files(node: NodeRun) -> str:
    folder = Path(_only(node, "examples").uri)
    splits = sorted(path.name.removeprefix("Split-") for path in folder.glob("Split-*"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return f"splits {', '.join(reversed(splits))} · {size / 1024:,.0f} KiB"


def _statistics(node: NodeRun) -> str:
    from tensorflow_metadata.proto.v0.statistics_pb2 import DatasetFeatureStatisticsList

    counts = []
    for path in sorted(Path(_only(node, "statistics").uri).glob("Split-*/FeatureStats.pb"), reverse=True):
        statistics = DatasetFeatureStatisticsList.FromString(path.read_bytes())
        counts.append(f"{path.parent.name.removeprefix('Split-')} {statistics.datasets[0].num_examples:,}")
    return f"{' · '.join(counts)} rows"


def _schema(node: NodeRun) -> str:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0.schema_pb2 import Schema

    text = (Path(_only(node, "schema").uri) / "schema.pbtxt").read_text(encoding="utf-8")
    return f"features {', '.join(feature.name for feature in text_format.Parse(text, Schema()).feature)}"


def _anomalies(node: NodeRun) -> str:
    from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

    paths = Path(_only(node, "anomalies").uri).glob("Split-*/SchemaDiff.pb")
    found = sum(len(Anomalies.FromString(path.read_bytes()).anomaly_info) for path in paths)
    return "no anomalies" if not found else f"anomalies in {found} features"


def _gate(node: NodeRun) -> str:
    report = json.loads((Path(_only(node, "blessing").uri) / "report.json").read_text(encoding="utf-8"))
    allowed = sorted({anomaly["name"] for anomaly in report.get("allowed", [])})
    remark = f" · let through: {', '.join(allowed)}" if allowed else ""
    return f"{sum(report['rows'].values()):,} rows are fit for training{remark}"


def _earlier_data(node: NodeRun) -> str:
    blessings = node.outputs.get("earlier")
    return f"rows of run {Path(blessings[0].uri).name}" if blessings else "no earlier run to compare the rows with"


def _tuner(node: NodeRun) -> str:
    trials = json.loads((Path(_only(node, "tuner_results").uri) / "tuner_results.json").read_text(encoding="utf-8"))
    best = min(trials, key=lambda trial: trial["score"])
    chosen = [f"{name.rpartition('.')[2]} {value:.4g}" for name, value in best.items() if "." in name]
    return f"best of {len(trials)} trials: {', '.join(chosen)} · evaluation loss {best['score']:.3f}"


def _trainer(node: NodeRun) -> str:
    return training_figures(training_report(node))


def _baseline(node: NodeRun) -> str:
    models = node.outputs.get("model", ())
    if models:
        return f"model {Path(models[0].uri).name} was blessed last"
    return "the model blessed last is gone" if node.outputs.get("model_blessing") else "none was blessed before"


def _published(node: NodeRun) -> str:
    record = json.loads((Path(_only(node, "model").uri) / "published.json").read_text(encoding="utf-8"))
    return record["reason"] or f"main of {record['repo_id']}, commit {record['commit'][:7]}"


def _start(node: NodeRun) -> str:
    model = _only(node, "model")
    repo_id, commit = (model.get_string_custom_property(name) for name in ("repo_id", "commit"))
    return f"{repo_id}, commit {commit[:7]}"


def answer_report(node: NodeRun) -> dict[str, Any]:
    """AnswerQuality's answers.json: figures, reasons, answers."""
    path = Path(_only(node, "answers").uri) / "answers.json"
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return report


def answer_figures(report: Mapping[str, Any]) -> str:
    """The answers' figures, beside the last blessed model's where there is one."""
    now, before = report["candidate"], report["baseline"]
    if now is None:
        return "no rows to ask"
    figures = [f"exact {now['exact_match']:.0%}", f"ROUGE-L {now['rouge_l']:.2f}", f"BLEU {now['bleu']:.1f}"]
    figures.append(f"{now['stopped']:.0%} of {report['rows']} answers end by themselves")
    if before:
        figures.append(f"before: exact {before['exact_match']:.0%}, ROUGE-L {before['rouge_l']:.2f}")
    return " · ".join(figures)


def _evaluator(node: NodeRun) -> str:
    report = evaluation(node)
    return f"{'blessed' if report['blessed'] else 'not blessed'} · {evaluation_figures(report)}"


def _proof(node: NodeRun) -> str:
    report = json.loads((Path(_only(node, "blessing").uri) / "report.json").read_text(encoding="utf-8"))
    wrong = sorted(name for name, result in report.items() if "error" in result or result["disagreements"])
    if wrong:
        return f"not fit to serve: {', '.join(wrong)}"
    asked = report["transformers"]["requests"]
    words = f"{', '.join(report)} agree on {asked} requests"
    if (same := report.get("ctranslate2", {}).get("same_answers", asked)) < asked:
        words += f" (ctranslate2, in int8, gives the same answer to {same})"
    return words


def _pusher(node: NodeRun) -> str:
    record = publication(node)
    if not record["pushed"]:
        return f"not published: {record['not_pushed_reason']}"
    return f"{record['revision']}{' was already published' if record['already_published'] else ''}"


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
    "StartingPoint": _start,
    "Trainer": _trainer,
    "BaselineResolver": _baseline,
    "PublishedModel": _published,
    "AnswerQuality": lambda node: answer_figures(answer_report(node)),
    "Evaluator": _evaluator,
    "ServingProof": _proof,
    "HFPusher": _pusher,
}
