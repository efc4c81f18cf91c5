"""A good run, then three that were sabotaged: none of these may be blessed or published.

    python -m benchmarks.evaluation_sabotage [--output-dir output/sabotage] [--steps 1000] [flags of local_runner.py]

The saboteur shuffles the responses of the training rows, multiplies the learning rate by a thousand, or ends the
training half-way.
Each run is one of the same pipeline, so the first one's model is what the others are compared with.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data.tfrecords import Row, read_examples, write_examples

PROJECT = Path(__file__).parents[1]
SAMPLE = PROJECT / "data/sample/tfrecords"
LEARNING_RATE = 3e-3 * 1000  # of the quickstart
SEED = 7
# From the line with the verdict to the one with the revision: the reasons are between them.
VERDICT = re.compile(r"^  verdict .*?^  revision .*?$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Outcome:
    """The summary of a run."""

    name: str
    status: int
    verdict: str

    @property
    def published(self) -> bool:
        """Returns whether a revision was made."""
        return re.search(r"^  revision +v\d", self.verdict, re.MULTILINE) is not None


def shuffled_responses(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """Returns the same prompts and the same responses, but not to each other."""
    outputs = [row.output for row in rows]
    random.Random(seed).shuffle(outputs)
    return [row._replace(output=output) for row, output in zip(rows, outputs, strict=True)]


def write_sabotaged(source: Path, folder: Path, *, seed: int = SEED) -> None:
    """Copies the data set in `source`, the training rows with shuffled responses, the evaluation rows as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("*.tfrecord*")):
        if "-train" in path.name:
            write_examples(folder / path.name, shuffled_responses(list(read_examples(path)), seed=seed))
        else:
            shutil.copy(path, folder / path.name)


def sabotages(shuffled: Path, *, steps: int) -> dict[str, Mapping[str, str]]:
    """Flags of the good run and of the sabotaged ones, by name."""
    return {
        "good": {"training.max-steps": str(steps)},
        "shuffled responses": {"training.max-steps": str(steps), "data.path": str(shuffled)},
        "learning rate times 1000": {"training.max-steps": str(steps), "training.learning-rate": str(LEARNING_RATE)},
        "half trained": {"training.max-steps": str(steps // 2)},
    }


def run_all(output_dir: Path, flags: Sequence[str], *, steps: int) -> Iterator[Outcome]:
    """Runs the good run, then the others; yields each once it has ended.

    Args:
        output_dir: for everything the runs make.
        flags: of every run.
        steps: of the good run.
    """
    shuffled = output_dir / "shuffled"
    write_sabotaged(SAMPLE, shuffled)
    for name, changes in sabotages(shuffled.resolve(), steps=steps).items():
        changed = [part for flag, value in changes.items() for part in (f"--{flag}", value)]
        command = [sys.executable, "local_runner.py", "--output-dir", str(output_dir.resolve()), *flags, *changed]
        done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        found = VERDICT.search(done.stdout)
        yield Outcome(name, done.returncode, found[0] if found else "  the run ended without a verdict")


def main(arguments: Sequence[str]) -> int:
    """Runs the command; returns 0 if the good run alone was published."""
    parser = ArgumentParser(prog="python -m benchmarks.evaluation_sabotage", allow_abbrev=False)
    parser.add_argument("--output-dir", type=Path, default=Path("output/sabotage"))
    parser.add_argument("--steps", type=int, default=600, help="optimizer steps of the good run")
    chosen, flags = parser.parse_known_args(arguments)
    published = []
    for outcome in run_all(chosen.output_dir, flags, steps=chosen.steps):
        sys.stdout.write(f"{outcome.name} (exit status {outcome.status})\n{outcome.verdict}\n\n")
        sys.stdout.flush()
        published += [outcome.name] if outcome.published else []
        if not published:
            break  # there is nothing that the others could be compared with
    sys.stdout.write(f"published: {', '.join(published) or 'none'}\n")
    return 0 if published == ["good"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
