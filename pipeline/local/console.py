"""Lines on the terminal while the pipeline runs: one per component."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from modules.progress import CLEAR_LINE
from pipeline.local.results import result_of

if TYPE_CHECKING:
    from pipeline.local.dag_runner import NodeRun

ACTIVITIES = {
    "ImportExampleGen": "reading the rows",
    "StatisticsGen": "describing the rows",
    "SchemaGen": "deriving a schema",
    "ImportSchemaGen": "reading the schema",
    "ExampleValidator": "comparing the rows with the schema",
    "DataResolver": "looking for the last accepted rows",
    "DataGate": "looking for reasons not to train",
    "Transform": "writing the prompts",
    "InitialModel": "fetching the initial model",
    "Trainer": "training the model",
    "BaselineResolver": "looking for the last blessed model",
    "BaselineModel": "fetching the published model",
    "AnswerQuality": "comparing answers",
    "Evaluator": "scoring the model",
    "ServingProof": "asking every exported form",
    "HFPusher": "publishing",
}
DRAWS_PROGRESS = frozenset({"Trainer"})  # its own bar needs the line below, so the activity's line is ended
NAME_WIDTH = max(map(len, ACTIVITIES))


@dataclass
class Console:
    """Prints to `stream`; on a terminal the result replaces the activity's line, elsewhere each is a line of
    its own."""

    stream: TextIO
    finished_nodes: list[NodeRun] = field(default_factory=list)
    graph: dict[str, list[str]] = field(default_factory=dict)
    running: str | None = None
    _replaceable: bool = False

    @contextmanager
    def importing(self, what: str) -> Iterator[None]:
        """Shows that imports take their time, and how much."""
        start = time.monotonic()
        self._activity(f"  {'imports':<{NAME_WIDTH}}  {what} …", ends_line=False)
        yield
        self._result("imports", time.monotonic() - start, what)

    def planned(self, graph: Mapping[str, Sequence[str]]) -> None:
        """Keeps which component waits for which, also of those that the run may not come to."""
        self.graph = {node_id: list(upstream) for node_id, upstream in graph.items()}

    def started(self, node_id: str) -> None:
        """Shows that a component runs."""
        self.running = node_id
        activity = f"  {node_id:<{NAME_WIDTH}}  {ACTIVITIES.get(node_id, 'running')} …"
        self._activity(activity, ends_line=node_id in DRAWS_PROGRESS)

    def finished(self, node: NodeRun) -> None:
        """Shows what came of it."""
        self.running = None
        self.finished_nodes.append(node)
        result = " · ".join(filter(None, ("cached" if node.cached else "", result_of(node))))
        self._result(node.node_id, node.seconds, result)

    def line(self, text: str) -> None:
        """Prints a line that stays."""
        self._clear()
        self._write(text + "\n")

    def interrupted(self) -> None:
        """Takes an unfinished activity's line off a terminal."""
        self._clear()

    def _result(self, name: str, duration: float, result: str) -> None:
        self.line(f"  {name:<{NAME_WIDTH}}  {seconds(duration):>7}  {result}".rstrip())

    def _activity(self, text: str, *, ends_line: bool) -> None:
        self._clear()
        if not self.stream.isatty() or ends_line:
            self._write(text + "\n")
            return
        self._write(text)
        self._replaceable = True

    def _clear(self) -> None:
        if self._replaceable:
            self._write(CLEAR_LINE)
            self._replaceable = False

    def _write(self, text: str) -> None:
        encoding = self.stream.encoding or "utf-8"
        self.stream.write(text.encode(encoding, "replace").decode(encoding))
        self.stream.flush()


def seconds(duration: float) -> str:
    """Returns a duration to read: 0.4 s, 92 s, 12 min 5 s."""
    if duration < 10:
        return f"{duration:.1f} s"
    if duration < 120:
        return f"{duration:.0f} s"
    minutes, rest = divmod(round(duration), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
