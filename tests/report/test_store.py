"""Finding runs in the metadata store."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.store import RunNotFoundError, StoreUnreadableError, find_run, stores
from tests.report.made_run import CACHED, FAILED, PIPELINE, RUN, MadeStore, Settings, make_run


def test_without_an_id_the_newest_run_is_found(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    made.execute("20261122-020304-000002", "ImportExampleGen")

    run = find_run(stores(str(tmp_path)), None)

    assert (run.pipeline_name, run.run_id) == (PIPELINE, "20261122-020304-000002")
    assert [node.node_id for node in run.nodes] == ["ImportExampleGen"]


def test_an_unknown_run_is_refused_with_those_there_are(tmp_path: Path) -> None:
    made = make_run(tmp_path)
    made.execute("20261122-020304-000002", "ImportExampleGen")

    with pytest.raises(RunNotFoundError) as refused:
        find_run(stores(str(tmp_path)), "yesterday")

    assert str(refused.value) == (
        "There is no such run. Received: yesterday. There are:\n"
        f"  20261122-020304-000002  {PIPELINE}\n"
        f"  {RUN}  {PIPELINE}"
    )


def test_before_the_first_run_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError) as refused:
        stores(str(tmp_path / "output"))

    assert str(refused.value) == (
        f"A report needs the metadata store of a run. Received: none at {tmp_path}/output/metadata. "
        "Run the pipeline first (make run), or name its folder with --output-dir."
    )


def test_a_store_in_which_nothing_ran_has_no_run(tmp_path: Path) -> None:
    MadeStore(tmp_path)

    with pytest.raises(RunNotFoundError, match="1 metadata store in which no component ever started"):
        find_run(stores(str(tmp_path)), None)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metadata" / PIPELINE / "metadata.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(StoreUnreadableError, match=f"Received: {path}"):
        stores(str(tmp_path))


def test_two_pipelines_may_share_a_folder(tmp_path: Path) -> None:
    make_run(tmp_path, pipeline_name="one")
    make_run(tmp_path, Settings(run_id="20261122-030303-000003"), pipeline_name="two")

    both = stores(str(tmp_path))

    assert [name.pipeline_name for store in both for name in store.runs()] == ["one", "two"]
    assert find_run(both, RUN).pipeline_name == "one"
    assert find_run(both, None).pipeline_name == "two"
    assert find_run(stores(str(tmp_path), "one"), None).run_id == RUN


def test_one_run_id_in_two_pipelines_needs_the_pipelines_name(tmp_path: Path) -> None:
    make_run(tmp_path, pipeline_name="one")
    make_run(tmp_path, pipeline_name="two")

    with pytest.raises(RunNotFoundError, match=f"Received: {RUN}, a run of each of one, two. Add --pipeline-name"):
        find_run(stores(str(tmp_path)), RUN)

    assert find_run(stores(str(tmp_path), "two"), RUN).pipeline_name == "two"


def test_of_a_component_that_ran_twice_in_a_run_the_last_time_counts(tmp_path: Path) -> None:
    made = MadeStore(tmp_path)
    made.execute(RUN, "Trainer", state=FAILED)
    again = made.execute(RUN, "Trainer")

    (node,) = find_run(stores(str(tmp_path)), RUN).nodes

    assert (node.execution_id, node.state) == (again, "COMPLETE")


def test_a_cached_result_names_the_run_that_made_it(tmp_path: Path) -> None:
    made = MadeStore(tmp_path)
    schema = made.artifact("Schema", tmp_path)
    made.execute(RUN, "SchemaGen", outputs={"schema": schema})
    made.execute("later", "SchemaGen", outputs={"schema": schema}, state=CACHED)

    (node,) = find_run(stores(str(tmp_path)), "later").nodes

    assert (node.state, node.made_by_run) == ("CACHED", RUN)
