from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from modules.training.checkpoints import CheckpointFolder, step_saved_by

FINGERPRINT = "0123456789abcdef" * 4


def arrays(step: int) -> dict[str, np.ndarray]:
    return {"weights/00000/kernel": np.full((3, 2), step, np.float32), "random/00000/state": np.array([step, 7])}


def folder(root: Path, *, keep: int = 2, fingerprint: str = FINGERPRINT) -> CheckpointFolder:
    return CheckpointFolder(root, fingerprint=fingerprint, keep=keep)


def test_a_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder(tmp_path).save(12, arrays(12), {"seconds": 1.5, "evaluation": {"best_step": None}})
    found = folder(tmp_path).newest()
    assert found is not None
    assert (found.step, found.progress) == (12, {"seconds": 1.5, "evaluation": {"best_step": None}})
    assert found.arrays.keys() == arrays(12).keys()
    for name, array in arrays(12).items():
        np.testing.assert_array_equal(found.arrays[name], array, strict=True)


def test_the_oldest_go_and_nothing_else_is_left(tmp_path: Path) -> None:
    for step in (10, 20, 30, 40):
        folder(tmp_path).save(step, arrays(step), {})
    assert [path.name for path in sorted(folder(tmp_path).folder.iterdir())] == [
        "step-0000000030.npz",
        "step-0000000040.npz",
    ]


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "text"])
def test_a_damaged_checkpoint_is_skipped_for_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path).save(10, arrays(10), {})
    path = folder(tmp_path).save(20, arrays(20), {})
    content = bytearray(path.read_bytes())
    if damage == "bit":
        at = content.index(np.full((3, 2), 20, np.float32).tobytes())
        content[at] ^= 1
    path.write_bytes({"cut": content[:-40], "bit": content, "empty": b"", "text": b"not a checkpoint"}[damage])
    with caplog.at_level(logging.WARNING):
        found = folder(tmp_path).newest()
    assert found is not None
    assert found.step == 10
    assert "is damaged and is skipped for the one before it" in caplog.text
    assert "step-0000000020.npz" in caplog.text


def test_another_training_finds_none(tmp_path: Path) -> None:
    folder(tmp_path).save(10, arrays(10), {})
    assert folder(tmp_path, fingerprint="f" * 64).newest() is None
    same_name = FINGERPRINT[:16] + "f" * 48
    assert folder(tmp_path, fingerprint=same_name).newest() is None


def test_a_checkpoint_that_cannot_be_written_leaves_the_earlier_ones(tmp_path: Path) -> None:
    folder(tmp_path).save(10, arrays(10), {})

    class Unreadable:
        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"):
        folder(tmp_path).save(20, {"weights/00000/kernel": Unreadable()}, {})  # type: ignore[dict-item]
    found = folder(tmp_path).newest()
    assert found is not None
    assert found.step == 10
    assert [path.name for path in folder(tmp_path).folder.iterdir()] == ["step-0000000010.npz"]


def test_the_step_that_a_run_can_go_on_from_is_known_by_its_name(tmp_path: Path) -> None:
    def of_run(run_id: str, fingerprint: str = FINGERPRINT) -> CheckpointFolder:
        return CheckpointFolder(tmp_path, fingerprint=fingerprint, keep=2, run_id=run_id)

    of_run("one").save(10, arrays(10), {})
    of_run("one").save(20, arrays(20), {})
    of_run("other", "f" * 64).save(90, arrays(90), {})

    assert [step_saved_by(tmp_path, name) for name in ("one", "other", "two")] == [20, 90, None]
    of_run("two").claim()  # it goes on with what the first one left
    assert [step_saved_by(tmp_path, name) for name in ("one", "other", "two")] == [None, 90, 20]
    assert step_saved_by(tmp_path / "absent", "one") is None


def test_clearing_removes_this_trainings_and_leaves_the_others(tmp_path: Path) -> None:
    root = tmp_path / "checkpoints"
    folder(root).save(10, arrays(10), {})
    other = folder(root, fingerprint="f" * 64)
    path = other.save(10, arrays(10), {})
    assert folder(root).others() == {other.folder: path.stat().st_size}
    folder(root).clear()
    assert [path.name for path in root.iterdir()] == ["f" * 16]
    other.clear()
    assert not root.exists()
