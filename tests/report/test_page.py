"""The page: whole in itself, safe whatever the data say, complete as far as the run came."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from pipeline.components.hf_pusher.record import PublicationRecord
from pipeline.report.drawing import Dot
from pipeline.report.facts import (
    AnswerFacts,
    ConditionFacts,
    DataFacts,
    EvaluationFacts,
    FeatureFacts,
    NodeFacts,
    ProofFacts,
    PublicationFacts,
    RunFacts,
    SplitFacts,
)
from pipeline.report.figures import make_figures
from pipeline.report.page import render_page, write_page
from pipeline.report.reading.run import read_facts
from pipeline.report.run_record import RunRecord
from pipeline.report.store import find_run, stores
from tests.report.made_run import TRAINING, Settings, make_run

SCRIPT = '<script>alert("x")</script>'
BARE = RunFacts("tiny", "r1", (NodeFacts("ImportExampleGen", "done", started_ms=0, seconds=1.0),))


class Page(HTMLParser):
    """What of a page a test looks at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attributes}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(facts: RunFacts) -> Page:
    return Page(render_page(facts, make_figures(facts)))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    output = tmp_path_factory.mktemp("page")
    make_run(output, Settings(before=1.75))
    return read_facts(find_run(stores(str(output)), None))


def test_a_page_and_a_png_per_picture_are_written(whole: RunFacts, tmp_path: Path) -> None:
    page = write_page(whole, tmp_path / "reports" / "r1")

    assert page == tmp_path / "reports" / "r1" / "index.html"
    assert {path.name for path in page.parent.iterdir()} == {
        "index.html", "dag.png", "lengths_instruction.png", "lengths_input.png", "lengths_output.png", "loss.png",
        "learning_rate.png", "slices.png", "exports.png",
    }  # fmt: skip
    with Image.open(page.with_name("dag.png")) as picture:
        assert picture.size[0] == 2 * (1110 + 32)


def test_the_page_says_where_and_why_a_training_stopped_early_and_which_weights_were_kept(tmp_path: Path) -> None:
    reason = "the evaluation loss has not fallen below 1.4000, that of step 2, in 1 evaluations"
    stopped = {"steps": 4, "planned_steps": 9, "stop_reason": reason, "kept_step": 2, "eval_loss": 1.4}
    make_run(tmp_path, Settings(training=TRAINING | stopped))

    facts = read_facts(find_run(stores(str(tmp_path)), None))
    page = page_of(facts)

    assert f"at step 4 of 9, because {reason}" in page.text
    assert "those of step 2" in page.text
    assert "4 of 9 steps" in page.text
    picture = make_figures(facts)["loss"].wide
    (mark,) = (shape for shape in picture.shapes if isinstance(shape, Dot) and shape.role == "good")
    assert mark.title == "kept: step 2: 1.4 at step 2"
    assert picture.alternative.endswith("; kept: step 2.")


def test_a_page_made_anew_leaves_no_picture_of_the_old_one(whole: RunFacts, tmp_path: Path) -> None:
    write_page(whole, tmp_path)
    write_page(BARE, tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "dag.png"}


def test_the_page_loads_nothing(whole: RunFacts) -> None:
    page = page_of(whole)

    loaded = [attributes.get(name, "") for _, attributes in page.tags for name in ("src", "srcset", "data", "poster")]
    assert [address for address in loaded if address] == []
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert {"script", "iframe", "img", "object", "embed"} & {tag for tag, _ in page.tags} == set()
    (policy,) = (meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    (style,) = re.findall(r"<style>(.*?)</style>", render_page(whole, {**make_figures(whole)}), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_every_picture_table_and_region_says_what_it_is(whole: RunFacts) -> None:
    page = page_of(whole)

    assert all(picture["role"] == "img" and picture["aria-label"] for picture in page.all("svg"))
    assert all(cell.get("scope") in ("col", "row") for cell in page.all("th"))
    assert all(region["aria-label"] for _, region in page.tags if region.get("role") == "region")
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1


def test_sections_follow_the_pipeline(whole: RunFacts) -> None:
    page = page_of(whole)

    assert [section["id"] for section in page.all("section")] == [
        "pipeline", "data", "training", "evaluation", "answers", "exports", "publication", "provenance",
    ]  # fmt: skip
    links = [link["href"] for link in page.all("a")]
    assert links[:2] == ["#pipeline", "#data"]
    assert "http://127.0.0.1:8642/local/tiny" in links


def test_a_run_that_came_nowhere_still_has_a_page() -> None:
    page = page_of(BARE)

    assert [section["id"] for section in page.all("section")] == ["pipeline", "provenance"]
    assert "Finished; publishing was off" in page.text


def test_a_failed_run_says_where_and_why() -> None:
    nodes = (*BARE.nodes, NodeFacts("DataGate", "failed", 1000, 0.5), NodeFacts("Trainer", "not reached"))
    recorded = RunRecord(failure="The data are not fit for training: 1 problem.")
    page = page_of(replace(BARE, nodes=nodes, recorded=recorded))

    assert "Failed in DataGate" in page.text
    assert "The data are not fit for training: 1 problem." in page.text
    (graph, *_) = (picture["aria-label"] for picture in page.all("svg"))
    assert graph == (
        "The pipeline's components. ImportExampleGen: done, 1.0 s; DataGate: failed, 0.5 s; Trainer: not reached."
    )


def test_a_model_that_was_not_blessed_says_why(tmp_path: Path) -> None:
    make_run(tmp_path, Settings(blessed=False, loss=3.5))
    page = page_of(read_facts(find_run(stores(str(tmp_path)), None)))

    assert "Not blessed, so not published" in page.text
    assert "The evaluation did not bless the model" in page.text
    assert "loss is 3.5, and must be at most 2.5" in page.text


def test_no_text_of_the_data_becomes_markup() -> None:
    feature = FeatureFacts(SCRIPT, 1, 0, 0, 1, 3.0, 3, ((0, 1), (10, 0), (20, 0)))
    facts = RunFacts(
        pipeline_name=SCRIPT,
        run_id=SCRIPT,
        nodes=(NodeFacts(SCRIPT, "failed", 0, 1.0, cached_from=SCRIPT),),
        recorded=RunRecord(profile=SCRIPT, log=SCRIPT, failure=SCRIPT),
        settings={SCRIPT: SCRIPT},
        code={SCRIPT: SCRIPT},
        versions={SCRIPT: SCRIPT},
        data=DataFacts(
            source=SCRIPT, splits=(SplitFacts(SCRIPT, 1, (feature,)),), anomalies=(SCRIPT,), findings=(SCRIPT,),
            allowed=((SCRIPT, SCRIPT, (SCRIPT,)),), notes=(SCRIPT,), measured={SCRIPT: 1.0},
        ),
        evaluation=EvaluationFacts(
            False, (SCRIPT,), (SCRIPT,), SCRIPT, (), (ConditionFacts(SCRIPT, SCRIPT, SCRIPT, 1.0, None, False),)
        ),
        answers=(AnswerFacts(SCRIPT, SCRIPT, SCRIPT, SCRIPT),),
        proof=(ProofFacts(SCRIPT, 1, 1, SCRIPT, error=SCRIPT),),
        publication=PublicationFacts(
            PublicationRecord(pushed=False, not_pushed_reason=SCRIPT, url=f"javascript:{SCRIPT}", repo_id=SCRIPT)
        ),
        artifacts=((SCRIPT, SCRIPT, 1, SCRIPT),),
        missing=(SCRIPT,),
    )  # fmt: skip

    html = render_page(facts, make_figures(facts))

    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert [link["href"] for link in Page(html).all("a") if link["href"].startswith("javascript")] == []


def test_the_report_of_the_preparation_is_linked_where_there_is_one(whole: RunFacts) -> None:
    assert whole.data is not None
    assert "preparation" not in page_of(whole).text
    linked = page_of(replace(whole, data=replace(whole.data, preparation="file:///rows/report.html")))
    assert "file:///rows/report.html" in [link["href"] for link in linked.all("a")]
