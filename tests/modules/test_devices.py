from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from modules.exports import TrainedModel
from modules.exports.keras_preset import KERAS
from modules.processes import run_in_subprocess
from modules.training.dataset import PackedBatches, tokenize_examples
from modules.training.devices import DeviceError, choose, shared_training
from modules.training.slots import ALONE, Sharing, part_slots
from tests.jax.tasks import ROWS, TEXTS, losses, make_task, preset_weights
from tests.modules.conftest import make_backbone
from tests.modules.mirrored_training import DEVICES

pytestmark = pytest.mark.arithmetic

FOUR = ["cpu:0", "cpu:1", "cpu:2", "cpu:3"]


def make_batches(tokenizer: Tokenizer, sharing: Sharing) -> PackedBatches:
    examples = tokenize_examples(*ROWS, tokenizer, sequence_length=32)
    return PackedBatches(examples, sequence_length=32, batch_size=4, seed=3, sharing=sharing)


def test_each_part_of_a_batch_has_the_slots_of_its_own_rows(tokenizer: Tokenizer) -> None:
    whole, _, _ = make_batches(tokenizer, ALONE).batch(0, 0)
    parted, targets, weights = make_batches(tokenizer, Sharing(4, apart=True)).batch(0, 0)
    np.testing.assert_array_equal(parted["token_ids"], whole["token_ids"])
    slots = len(weights) // 4
    found = []
    for part in range(4):
        mine = slice(part * slots, (part + 1) * slots)
        used = weights[mine] > 0
        assert used.tolist() == sorted(used.tolist(), reverse=True), "used slots come first"
        at = parted["supervised"][mine][used] + part * 32
        np.testing.assert_allclose(weights[mine][used], whole["weights"][0] * 4)
        found += list(zip(at.tolist(), targets[mine][used].tolist(), strict=True))
    filled = np.count_nonzero(whole["weights"])
    expected = zip(whole["supervised"][:filled].tolist(), whole["targets"][:filled].tolist(), strict=True)
    assert found == list(expected)


def test_a_part_without_supervised_tokens_has_unused_slots() -> None:
    inputs = {
        "token_ids": np.ones((2, 4), np.int32),
        "supervised": np.array([1, 3, 0], np.int32),
        "targets": np.array([7, 8, 0], np.int32),
        "weights": np.array([0.5, 0.5, 0.0], np.float32),
    }
    parted = part_slots(inputs, parts=2)
    assert parted["supervised"].tolist() == [1, 3] + [0] * 14
    assert parted["targets"].tolist() == [7, 8] + [0] * 14
    assert parted["weights"].tolist() == [1.0, 1.0] + [0.0] * 14


def test_all_devices_are_taken_unless_a_number_is_given() -> None:
    assert choose(FOUR, 0, batch_size=8) == FOUR
    assert choose(FOUR, 2, batch_size=8) == FOUR[:2]


def test_more_devices_than_there_are_is_an_error() -> None:
    with pytest.raises(DeviceError, match=r"Received: devices=8; there are cpu:0, cpu:1, cpu:2, cpu:3\. Set it to 0"):
        choose(FOUR, 8, batch_size=8)


def test_devices_that_do_not_divide_the_batch_are_an_error() -> None:
    with pytest.raises(DeviceError, match=r"Received: 4 devices, batch_size=6\. Set training\.devices or"):
        choose(FOUR, 0, batch_size=6)


def test_tensorflow_does_not_shard_weights() -> None:
    with (
        pytest.raises(DeviceError, match=r"Received: tensorflow\. Set training\.backend=jax"),
        shared_training("fully_sharded", devices=1, batch_size=1, sharding={}),
    ):
        pass


def test_one_device_needs_nothing() -> None:
    with shared_training("none", devices=0, batch_size=7, sharding={}) as sharing:
        assert sharing == ALONE


def test_four_mirrored_devices_train_as_one_does(tmp_path: Path) -> None:
    from modules.models.gpt2.tokenizer import train_tokenizer
    from modules.trainer import train

    tokenizer, preset = train_tokenizer(TEXTS, vocabulary_size=300), tmp_path / "preset"
    backbone = make_backbone(tokenizer)
    backbone.set_weights([weight / 20 for weight in backbone.get_weights()])  # no magnified rounding
    KERAS.write(TrainedModel(backbone, tokenizer), preset)
    # A clip norm that every step exceeds: it must be that of the whole batch.
    options = {"packing": "best_fit", "clip_norm": 0.1}
    alone = make_task(preset, tmp_path / "alone", **options)
    shared = make_task(preset, tmp_path / "shared", distribution="data_parallel", devices=DEVICES, **options)
    expected = train(alone).report
    environment = {"KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    outcome = run_in_subprocess("tests.modules.mirrored_training", shared, environment=environment)
    assert outcome.status == 0, outcome.log
    report = outcome.result["report"]
    np.testing.assert_allclose(losses(report), losses(expected), rtol=0, atol=1e-4)
    assert report["train_loss"] == pytest.approx(expected["train_loss"], abs=1e-4)
    assert report["train_token_accuracy"] == pytest.approx(expected["train_token_accuracy"], abs=1e-6)
    assert losses(expected)[-1] < losses(expected)[0]
    for one, same in zip(preset_weights(alone), preset_weights(shared), strict=True):
        np.testing.assert_allclose(one, same, rtol=0, atol=1e-4)
