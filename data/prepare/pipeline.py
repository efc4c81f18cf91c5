"""The Beam pipeline of a preparation.

    parts → read → exact → near → clusters → fragments → shards

Beam hands out tasks; rows go from stage to stage through files in the work folder. So a local runner, which keeps all
that is shuffled in memory, needs no more of it for more rows, every runner gives the same bytes, and a task that is
done is done for the next run too. A stage starts when the one before it has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from data.errors import SourceError, SourceUnavailable
from data.prepare.stages import STAGES
from data.prepare.work import Work, write_json

FLAGS = ("--runner=FnApiRunner",)  # in this process; DirectRunner would look for another
_FAILED = "failed.json"

Task = tuple[int, int, tuple[Any, ...]]  # position of the stage, and of the task in it, and its arguments
Ended = tuple[str, str]  # message and type of the error; empty of a task that is done


def run_pipeline(work: Work, beam_flags: Sequence[str], *, is_dry: bool) -> None:
    """Runs all stages; their results are in the work folder.

    Args:
        work: with request and plan.
        beam_flags: Beam's own; none for this process.
        is_dry: whether to stop before the files of the output are written.

    Raises:
        SourceError: If a task finds a source damaged, or a stage leaves what must not go on.
        SourceUnavailable: If a source does not answer any more.
    """
    work.path(_FAILED).unlink(missing_ok=True)
    with beam.Pipeline(options=PipelineOptions(list(beam_flags or FLAGS))) as pipeline:
        build(pipeline, work, is_dry=is_dry)
    if work.path(_FAILED).exists():
        failed = work.read(_FAILED)
        kind = SourceUnavailable if failed["type"] == SourceUnavailable.__name__ else SourceError
        raise kind(failed["message"])


def build(pipeline: beam.Pipeline, work: Work, *, is_dry: bool) -> None:
    """Adds the stages to a pipeline."""
    start = pipeline | "Start" >> beam.Create([None])
    ended: list[beam.pvalue.AsList] = []
    for position, stage in enumerate(STAGES[:-1] if is_dry else STAGES):
        name = stage.name.capitalize()
        done = (
            start
            | f"{name}Tasks" >> beam.ParDo(_Tasks(work, position), *ended)
            | f"{name}HandedOut" >> beam.Reshuffle()
            | name >> beam.ParDo(_Do(work))
        )
        ended = [beam.pvalue.AsList(done)]
    start | "End" >> beam.ParDo(_Tasks(work, None), *ended)


class _Tasks(beam.DoFn):
    """Lists a stage's tasks, when the one before has ended well."""

    def __init__(self, work: Work, position: int | None) -> None:
        self._work, self._position = work, position

    def process(self, _: None, ended: Sequence[Ended] = ()) -> Iterator[Task]:
        if self._work.path(_FAILED).exists():
            return
        position = len(STAGES) if self._position is None else self._position
        errors = sorted(error for error in ended if error[0])
        if not errors and position and (problem := STAGES[position - 1].problem(self._work)):
            errors = [(problem, SourceError.__name__)]
        if errors:
            messages = "\n".join(dict.fromkeys(message for message, _ in errors))
            write_json(self._work.path(_FAILED), {"message": messages, "type": errors[-1][1]})
        elif self._position is not None:
            for index, arguments in enumerate(STAGES[position].tasks(self._work)):
                yield position, index, arguments


class _Do(beam.DoFn):
    """Does a task, unless it is done."""

    def __init__(self, work: Work) -> None:
        self._work = work

    def process(self, task: Task) -> Iterator[Ended]:
        position, index, arguments = task
        stage = STAGES[position]
        result = self._work.once(f"{stage.name}-{index:06d}", lambda: stage.run(self._work, *arguments))
        yield str(result.get("error", "")), str(result.get("type", ""))
