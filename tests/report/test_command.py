"""``python -m pipeline.report``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.report.command import main
from tests.report.made_run import FAILED, RUN, MadeStore, Settings, make_run

LATER = "20261122-040506-000002"


def test_the_newest_runs_page_is_made_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path)

    assert main(["show", "--output-dir", str(tmp_path)], {}) == 0

    page = tmp_path / "reports" / RUN / "index.html"
    assert capsys.readouterr().out == f"{page}\n"
    assert "Published as v20261122-010304" in page.read_text(encoding="utf-8")


def test_the_folder_may_come_from_the_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path)

    assert main(["show", "--run", RUN], {"GPT2_ALPACA_OUTPUT_DIR": str(tmp_path)}) == 0
    assert capsys.readouterr().out == f"{tmp_path}/reports/{RUN}/index.html\n"


def test_runs_are_listed_newest_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_run(tmp_path)
    made.execute(LATER, "ImportExampleGen", state=FAILED)
    made.record(LATER, failure="The disk is full.", seconds=3.0)
    make_run(tmp_path, Settings(run_id="x", blessed=False, loss=3.5, recorded=False), pipeline_name="other")

    assert main(["list", "--output-dir", str(tmp_path)], {}) == 0

    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "started", "(UTC)", "took", "cached", "loss", "outcome", "pipeline"]
    assert [row.split()[0] for row in rows] == ["x", LATER, RUN]
    assert rows[0].endswith("0 of 7  3.5   Not blessed, so not published  other")
    assert rows[1].endswith("3.0 s  0 of 1  –     Failed in ImportExampleGen     tiny")
    assert rows[2].endswith("42 s   0 of 7  1.5   Published as v20261122-010304  tiny")


def test_two_runs_are_compared_as_text_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path)
    make_run(tmp_path, Settings(run_id=LATER, learning_rate=0.5))

    assert main(["compare", RUN, LATER, "--output-dir", str(tmp_path)], {}) == 0

    folder = tmp_path / "reports" / f"{RUN}..{LATER}"
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "index.html")
    assert "training.learning_rate" in (folder / "index.html").read_text(encoding="utf-8")
    assert {path.name for path in folder.glob("*.png")} == {"loss.png", "learning_rate.png"}


def test_a_problem_is_one_message_and_a_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path)

    assert main(["compare", RUN, "nothing", "--output-dir", str(tmp_path)], {}) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("There is no such run. Received: nothing. There are:\n")


def test_a_run_id_that_is_no_file_name_stays_in_the_folder(tmp_path: Path) -> None:
    MadeStore(tmp_path).execute("../../outside", "ImportExampleGen")

    assert main(["show", "--output-dir", str(tmp_path)], {}) == 0
    assert [path.name for path in (tmp_path / "reports").iterdir()] == ["--..-outside"]


def test_making_a_page_imports_no_tensorflow(tmp_path: Path) -> None:
    make_run(tmp_path)
    code = (
        "import sys; from pipeline.report.command import main; "
        f"main(['show', '--output-dir', {str(tmp_path)!r}], {{}}); "
        "print([name for name in ('tensorflow', 'tfx', 'keras', 'apache_beam') if name in sys.modules])"
    )

    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)

    assert finished.stdout.splitlines()[-1] == "[]"
