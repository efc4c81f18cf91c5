"""What a run writes, how much of it, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.sources import load_config
from pipeline.disk_checks import DATA_COPIES, OTHER_BYTES, Need, disk_problems, needs
from pipeline.layout import hub_folder, pipeline_root

BASE = 124_000_000  # parameters of gpt2_base_en
GIB = 2**30


def needed(folder: Path, *arguments: str) -> dict[str, int]:
    return {need.what: need.size_bytes for need in needs_of(folder, *arguments)}


def needs_of(folder: Path, *arguments: str) -> tuple[Need, ...]:
    base = ["--profile", "gpt2_base", "--data.path", str(folder / "data"), "--output-dir", str(folder / "output")]
    return needs(load_config([*base, *arguments], {}))


def test_each_thing_that_a_run_writes_is_counted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows-train.tfrecord").write_bytes(bytes(1000))

    assert needed(tmp_path) == {
        "the rows": 1000 * DATA_COPIES,
        "the exported forms": (4 * 4 + 1) * BASE,
        "checkpoints": 4 * 4 * 3 * BASE,
        "logs and reports": OTHER_BYTES,
        "what is published": (3 * 4 + 1 + 4) * BASE,
    }


@pytest.mark.parametrize(
    ("arguments", "what", "size_bytes"),
    [
        (("--publish.exports", "ctranslate2"), "what is published", 2 * BASE),
        (("--publish.exports", "transformers ctranslate2"), "what is published", (4 + 1 + 4) * BASE),
        (("--publish.enabled", "false"), "what is published", None),
        (("--export.ctranslate2", "int8"), "the exported forms", (3 * 4 + 1) * BASE),
        (("--training.keep-weights", "last"), "checkpoints", 4 * 3 * 3 * BASE),
        (("--training.lora-rank", "8"), "checkpoints", None),
        (("--evaluation.baseline", "published"), "the model to compare with", 4 * BASE),
        (("--publish.signing-key-env", "KEY"), "files to sign", 13 * BASE),
    ],
)
def test_what_is_set_changes_what_is_needed(
    tmp_path: Path, arguments: tuple[str, ...], what: str, size_bytes: int | None
) -> None:
    assert needed(tmp_path, *arguments).get(what) == size_bytes


def test_a_hub_elsewhere_takes_no_room_here(tmp_path: Path) -> None:
    names = ("--publish.repo-id", "me/model", "--publish.space-repo-id", "me/demo")

    assert "what is published" not in needed(tmp_path, "--publish.endpoint", "https://huggingface.co", *names)


def test_everything_lies_where_it_is_told_to(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    output = str(tmp_path / "output")

    folders = {need.what: need.folder for need in needs_of(tmp_path, "--training.checkpoint-dir", str(checkpoints))}

    assert folders["checkpoints"] == checkpoints
    assert folders["what is published"] == hub_folder(output)
    assert folders["the exported forms"] == pipeline_root(output, "kerasnlp-gpt2-alpaca-pipeline")


def problems(folder: Path, *arguments: str, free: int) -> list[str]:
    output = ("--output-dir", str(folder / "output"), "--data.path", str(folder / "data"))
    config = load_config(["--profile", "gpt2_base", *output, *arguments], {})
    return list(disk_problems(config, free_bytes=lambda folder: free))


def test_too_little_room_is_told_with_what_is_needed_and_what_there_is(tmp_path: Path) -> None:
    assert problems(tmp_path, free=10 * GIB) == []
    assert problems(tmp_path, free=30 * 2**20) == [
        "The disk of output_dir needs about 9.7 GiB for this run: the exported forms 2.0 GiB, checkpoints 5.5 GiB, "
        f"logs and reports 200 MiB, what is published 2.0 GiB. Received: 30.0 MiB free on {tmp_path}. "
        "Free some, or set output_dir to another disk."
    ]


def test_each_disk_is_judged_by_what_goes_there(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second disk, such as /dev/shm")

    first, second = sorted(
        problems(tmp_path, "--training.checkpoint-dir", str(other / "gpt2-checkpoints"), free=0), key=len
    )

    assert first.startswith(
        "The disk of training.checkpoint_dir needs about 5.5 GiB for this run: checkpoints 5.5 GiB."
    )
    assert "free on /dev/shm. Free some, or set training.checkpoint_dir to another disk." in first
    assert second.startswith("The disk of output_dir needs about 4.1 GiB for this run: the exported forms 2.0 GiB, ")
