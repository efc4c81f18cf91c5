"""The last lines of a run: how good the model is, where it is, how to try it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.padding import Padding

from pipeline.layout import hub_folder
from pipeline.local.console import seconds
from pipeline.local.reporting import relative
from pipeline.local.results import answer_figures, answers, evaluation, evaluation_figures, proof, publication, training
from pipeline.report.formatting import steps
from pipeline.terminal_text import render, table

if TYPE_CHECKING:
    from modules.training_record import TrainingRecord
    from pipeline.components.evaluator.record import EvaluationRecord
    from pipeline.components.hf_pusher.record import PublicationRecord
    from pipeline.components.serving_proof.record import ProofRecord
    from pipeline.config import PipelineConfig
    from pipeline.local.dag_runner import NodeRun

LABEL_WIDTH = 9
DEMO_STORAGE = "output/hub"  # where `make demo` looks if it is not told


def summarize(
    nodes: Sequence[NodeRun],
    config: PipelineConfig,
    *,
    log: Path,
    total_seconds: float,
    report: Path | None = None,
) -> str:
    """Returns the summary of a whole run.

    Args:
        nodes: every component that ran or was cached.
        config: the run's.
        log: the run's log file.
        total_seconds: from the command to here.
        report: the run's page, if it was written.
    """
    by_id = {node.node_id: node for node in nodes}
    cached = sum(node.cached for node in nodes)
    headline = f"Done in {seconds(total_seconds)}: {len(nodes)} components, {cached} from cache."
    entries = list(_entries(by_id, config, log, report))
    return render("", headline, "", Padding(table(entries, widths=[LABEL_WIDTH, 0], gap=1), (0, 0, 0, 2)))


def demo_command(config: PipelineConfig) -> str:
    """Returns what serves the Space that the run has published to the local Hub."""
    flags = []
    if (storage := relative(hub_folder(config.output_dir))) != DEMO_STORAGE:
        flags.append(f"--storage-dir {shlex.quote(storage)}")
    if config.publish.local_port:
        flags.append(f"--port {config.publish.local_port}")
    return f'make demo ARGS="{" ".join(flags)}"' if flags else "make demo"


def _entries(
    nodes: dict[str, NodeRun], config: PipelineConfig, log: Path, page: Path | None
) -> Iterator[tuple[str, str]]:
    if "Trainer" in nodes:
        record = training(nodes["Trainer"])
        yield "quality", quality(record)
        yield "training", f"{record.parameters:,} parameters · {steps(record)} · {seconds(record.seconds)}"
    if "Evaluator" in nodes:
        yield from _judged(evaluation(nodes["Evaluator"]))
    if "AnswerQuality" in nodes:
        yield "answers", answer_figures(answers(nodes["AnswerQuality"]))
    if "ServingProof" in nodes:
        yield from _proven(proof(nodes["ServingProof"]))
    if "Trainer" in nodes:
        yield "model", relative(Path(nodes["Trainer"].outputs["model"][0].uri))
    if "HFPusher" in nodes:
        yield from _published(publication(nodes["HFPusher"]))
    else:
        yield "revision", "none: publish.enabled is false"
    if page:
        yield "report", relative(page)
    yield "log", relative(log)
    if "HFPusher" in nodes and publication(nodes["HFPusher"]).space_repo_id and config.publish.endpoint == "local":
        yield "try it", demo_command(config)


def quality(record: TrainingRecord) -> str:
    """Returns the evaluation figures, as far as the Trainer took them."""
    figures = [f"loss {record.eval_loss:.3f}", f"token accuracy {record.eval_token_accuracy:.1%}"]
    if answers := record.exact_answers:
        figures.append(f"exact answers {answers.exact} of {answers.rows} ({answers.share:.0%})")
    return f"{' · '.join(figures)} (evaluation split)"


def _judged(record: EvaluationRecord) -> Iterator[tuple[str, str]]:
    verdict = "blessed" if record.blessed else "not blessed"
    yield "verdict", f"{verdict} · {evaluation_figures(record)}"
    for remark in [*record.reasons, *record.notes]:
        yield "", remark


def _proven(record: ProofRecord) -> Iterator[tuple[str, str]]:
    """Yields nothing where the exports serve: then the component's own line says enough."""
    if record.reasons:
        yield "verdict", "not fit to serve"
        yield from (("", reason) for reason in record.reasons)


def _published(record: PublicationRecord) -> Iterator[tuple[str, str]]:
    if not record.pushed:
        yield "revision", f"none: {record.not_pushed_reason}"
        return
    yield "revision", f"{record.revision} of {record.repo_id}"
    yield "", str(record.url)
