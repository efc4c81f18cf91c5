"""The stages of a preparation: which tasks each has, what a task does, and when the run must not go on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data.prepare.clusters import find_clusters
from data.prepare.duplicates import find_exact, find_near, near_tasks, task_count
from data.prepare.reading import MALFORMED, read_part
from data.prepare.tally import added
from data.prepare.work import Result, Work
from data.prepare.writing import join_dropped, join_shard, shard_tasks, write_fragments
from data.splits import SPLITS

Arguments = tuple[Any, ...]


@dataclass(frozen=True)
class Stage:
    """A stage.

    Attributes:
        name: of the stage and its results.
        tasks: arguments of each task, known when the stage before has ended.
        run: does a task.
        problem: looks at what the stage has done; a sentence if the run must end.
    """

    name: str
    tasks: Callable[[Work], Sequence[Arguments]]
    run: Callable[..., Result]
    problem: Callable[[Work], str] = lambda work: ""


def _parts(work: Work) -> Sequence[Arguments]:
    return [(part,) for part in range(len(work.parts))]


def _rows(work: Work) -> int:
    return sum(int(result["rows"]) for result in work.results("read"))


def _exact(work: Work) -> Sequence[Arguments]:
    if work.settings.deduplicate == "none":
        return []
    tasks = task_count(_rows(work))
    return [(task, tasks) for task in range(tasks)]


def _near(work: Work) -> Sequence[Arguments]:
    return near_tasks(_rows(work)) if work.settings.deduplicate == "near" else []


def _shards(work: Work) -> Sequence[Arguments]:
    return [*((task,) for task in shard_tasks(work.results("fragments"))), (None,)]


def _join(work: Work, task: Mapping[str, Any] | None) -> Result:
    return join_dropped(work) if task is None else join_shard(work, dict(task))


def too_many_malformed(work: Work) -> str:
    """Returns a sentence if more records are malformed than may be, or there is no row at all; empty if not."""
    tally = added(work.results("read"))
    records, malformed = tally.counts["records"], tally.counts[MALFORMED]
    allowed = work.settings.max_malformed
    shown = "".join(f"\n  {each['location']}: {each['detail']}" for each in tally.samples.get(MALFORMED, ()))
    if malformed > allowed * records:
        return (
            f"At most {allowed:.1%} of the records may be malformed. Received: {malformed:,} of {records:,}, such as"
            f"{shown}\nCorrect them there, or set --max-malformed."
        )
    return ""


def empty_split(work: Work) -> str:
    """Returns a sentence if a split would be empty; empty if none."""
    tasks = shard_tasks(work.results("fragments"))
    kept = sum(int(task["rows"]) for task in tasks)
    for split in SPLITS:
        if not any(task["split"] == split for task in tasks):
            return (
                f"Split {split!r} would be empty. Received: {kept} usable row(s), of which "
                f"{work.settings.eval_percent:g} % go to eval. Give more rows, part text files by --separator, or take "
                "another percentage."
            )
    return ""


STAGES: Sequence[Stage] = (
    Stage("read", _parts, read_part, too_many_malformed),
    Stage("exact", _exact, find_exact),
    Stage("near", _near, find_near),
    Stage("clusters", lambda work: [()], find_clusters),
    Stage("fragments", _parts, write_fragments, empty_split),
    Stage("shards", _shards, _join),
)
