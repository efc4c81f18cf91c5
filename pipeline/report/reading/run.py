"""Everything about a run, from the metadata store and the artifacts that it points at."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.report.facts import ConditionFacts, EvaluationFacts, NodeFacts, QualityFacts, RunFacts, State
from pipeline.report.reading.answers import read_quality, read_training_answers
from pipeline.report.reading.data import read_data
from pipeline.report.reading.evaluation import read_evaluation, read_proof
from pipeline.report.reading.exports import read_exports, read_publication
from pipeline.report.reading.files import RunFiles
from pipeline.report.reading.settings import conditions_as_settings, read_code, read_setting_components, read_settings
from pipeline.report.reading.training import read_training
from pipeline.report.run_record import RunRecord
from pipeline.report.store import ENDED, StoredNode, StoredRun

# What waits for what without an artifact passing, in a run that kept no graph.
WITHOUT_ARTIFACT = (("DataGate", "Transform"), ("BaselineResolver", "Evaluator"))
FINISHED: dict[str, State] = {"COMPLETE": "done", "CACHED": "cached"}
FAILED = ("FAILED", "CANCELED")


def read_facts(run: StoredRun) -> RunFacts:
    """Reads all that is left of `run`; what is not is named in `missing`."""
    files = RunFiles(run)
    training, evaluation = read_training(files), read_evaluation(files)
    samples = training.record.samples if training and training.record else ()
    quality, asked = read_quality(files)
    answers = asked or read_training_answers(files, samples, evaluation.baseline if evaluation else None)
    scored, answered = (conditions_as_settings(_conditions(part)) for part in (evaluation, quality))
    judges = dict.fromkeys(answered, "AnswerQuality") | dict.fromkeys(scored, "Evaluator")
    return RunFacts(
        pipeline_name=run.pipeline_name,
        run_id=run.run_id,
        nodes=tuple(read_nodes(run)),
        edges=tuple(read_edges(run)),
        recorded=run.record or RunRecord(),
        settings=read_settings(run) | scored | answered,
        setting_components=read_setting_components(run) | judges,
        code=read_code(run),
        versions=(run.record.versions if run.record else None) or _versions(run),
        data=read_data(files),
        training=training,
        evaluation=evaluation,
        quality=quality,
        answers=tuple(answers),
        proof=tuple(read_proof(files)),
        exports=tuple(read_exports(files)),
        publication=read_publication(files),
        artifacts=tuple(_artifacts(run)),
        missing=tuple(files.notes),
    )


def read_outline(run: StoredRun) -> RunFacts:
    """Returns what a list of runs shows, and no more: nothing large is opened."""
    files = RunFiles(run)
    return RunFacts(
        pipeline_name=run.pipeline_name,
        run_id=run.run_id,
        nodes=tuple(read_nodes(run)),
        recorded=run.record or RunRecord(),
        evaluation=read_evaluation(files),
        publication=read_publication(files),
    )


def _conditions(part: EvaluationFacts | QualityFacts | None) -> tuple[ConditionFacts, ...]:
    return part.conditions if part else ()


def read_nodes(run: StoredRun) -> Iterator[NodeFacts]:
    """Yields every component in the order of the run; at the end those that it did not come to."""
    for node in run.nodes:
        ended_ms = _ended_ms(run, node)
        yield NodeFacts(
            node_id=node.node_id,
            state=_state(run, node),
            started_ms=node.started_ms,
            seconds=None if ended_ms is None else (ended_ms - node.started_ms) / 1000,
            cached_from=node.made_by_run,
            execution_id=node.execution_id,
        )
    reached = {node.node_id for node in run.nodes}
    for node_id in run.record.graph if run.record else ():
        if node_id not in reached:
            yield NodeFacts(node_id, "not reached")


def _state(run: StoredRun, node: StoredNode) -> State:
    """Returns how a component ended; one that still ran when its run had ended shares that run's end."""
    if node.state in FINISHED:
        return FINISHED[node.state]
    if run.record:
        return "interrupted" if run.record.interrupted else "failed"
    if node.state in FAILED:
        return node.properties.get(ENDED, "failed")
    return "running" if run.is_active else "killed"


def _ended_ms(run: StoredRun, node: StoredNode) -> int | None:
    """Returns when a component ended, in ms since 1970; None if it has not, or nobody knows.

    A run that was killed noted no end, and what ML Metadata tells is when the next run noticed: there it is the last
    word in the run's log.
    """
    match _state(run, node):
        case "running":
            return None
        case "killed":
            return run.logged_ms and max(run.logged_ms, node.started_ms)
        case "failed" | "interrupted" if node.state not in FAILED:
            return None
    return node.ended_ms


def read_edges(run: StoredRun) -> Iterator[tuple[str, str]]:
    """Yields what each component waits for, as the run recorded it, or else as far as artifacts tell."""
    graph = run.record.graph if run.record else None
    if graph:
        yield from ((before, node_id) for node_id, upstream in graph.items() for before in upstream)
        return
    reached = {node.node_id for node in run.nodes}
    yield from (edge for edge in WITHOUT_ARTIFACT if reached.issuperset(edge))
    makers: dict[int, str] = {}
    for node in run.nodes:
        used = [*node.inputs.values(), *node.outputs.values()]
        ids = {artifact.id for artifacts in used for artifact in artifacts}
        yield from sorted({(makers[each], node.node_id) for each in ids if each in makers})
        for each in ids:
            makers.setdefault(each, node.node_id)


def _versions(run: StoredRun) -> dict[str, str]:
    """Returns the versions of a run that recorded none: only TFX's, a property of every artifact."""
    artifacts = (artifact for node in run.nodes for made in node.outputs.values() for artifact in made)
    known = {artifact.properties["tfx_version"] for artifact in artifacts if "tfx_version" in artifact.properties}
    return {"tfx": ", ".join(sorted(known))} if known else {}


def _artifacts(run: StoredRun) -> Iterator[tuple[str, str, int, str]]:
    for node in run.nodes:
        for key, artifacts in sorted(node.outputs.items()):
            for artifact in artifacts:
                yield node.node_id, key, artifact.id, artifact.uri
