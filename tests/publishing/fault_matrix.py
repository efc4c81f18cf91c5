"""Every request of a publication × every fault: what is on the Hub afterwards, and after running again?

    python -m tests.publishing.fault_matrix              every case
    python -m tests.publishing.fault_matrix --bounded    every request and every fault, but not each with each

The real server and the real client run in processes of their own, so that either can be killed. After the faulty run,
nobody may see anything half done; after the next one, the publication is finished, once.
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.publishing.fault_case import EARLIER, FAULTS, SCENARIOS, Case, prepare, requests_of, run_case

WORKERS = 4


@dataclass(frozen=True)
class Verdict:
    case: Case
    first_run: str  # "published", "refused" or "killed"
    problem: str | None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.publishing.fault_matrix", description=__doc__)
    parser.add_argument("--bounded", action="store_true", help="a sample that meets every request and every fault")
    parser.add_argument("--only", help="only cases whose name contains this")
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder / EARLIER)
        cases = [case for case in all_cases(folder) if not options.only or options.only in str(case)]
        if options.bounded:
            cases = sample(cases)
        verdicts = []
        for verdict in verdicts_of(folder, cases):
            verdicts.append(verdict)
            if len(verdicts) % 100 == 0:
                sys.stderr.write(f"{len(verdicts)} of {len(cases)} cases\n")
    report(verdicts, seconds=time.monotonic() - started)
    return int(any(verdict.problem for verdict in verdicts))


def all_cases(folder: Path) -> list[Case]:
    return [
        Case(scenario, number, request, fault)
        for scenario in SCENARIOS
        for number, request in enumerate(requests_of(scenario, folder))
        for fault in FAULTS
    ]


def sample(cases: list[Case]) -> list[Case]:
    """One fault for each request, so chosen that all faults come up in each scenario."""
    return [case for case in cases if FAULTS[5 * case.number % len(FAULTS)] == case.fault]


def verdicts_of(folder: Path, cases: list[Case]) -> Iterator[Verdict]:
    """Runs the cases in processes forked from this one, which has everything imported and no threads."""
    with multiprocessing.get_context("fork").Pool(WORKERS, initializer=_take_folder, initargs=(folder,)) as pool:
        yield from pool.imap_unordered(_verdict, cases)


_folder: list[Path] = []


def _take_folder(folder: Path) -> None:
    _folder.append(folder)


def _verdict(case: Case) -> Verdict:
    own = Path(tempfile.mkdtemp(dir=_folder[0]))
    try:
        first_run, problem = run_case(case, own, earlier=_folder[0] / EARLIER)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return Verdict(case, first_run, problem)


def report(verdicts: list[Verdict], *, seconds: float) -> None:
    """A line for each fault, the failures, and the sum."""
    write = sys.stdout.write
    write(f"{'fault':<34}{'cases':>6}{'published':>11}{'refused':>9}{'killed':>8}{'whole':>7}\n")
    for fault in FAULTS:
        of_fault = [verdict for verdict in verdicts if verdict.case.fault == fault]
        runs = Counter(verdict.first_run for verdict in of_fault)
        whole = sum(verdict.problem is None for verdict in of_fault)
        write(
            f"{fault:<34}{len(of_fault):>6}{runs['published']:>11}{runs['refused']:>9}{runs['killed']:>8}{whole:>7}\n"
        )
    for verdict in verdicts:
        if verdict.problem:
            write(f"NOT WHOLE: {verdict.case}: {verdict.problem}\n")
    whole = sum(verdict.problem is None for verdict in verdicts)
    requests = len({(verdict.case.scenario, verdict.case.number) for verdict in verdicts})
    write(f"{len(verdicts)} cases ({requests} requests), {whole} whole, {seconds:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main())
