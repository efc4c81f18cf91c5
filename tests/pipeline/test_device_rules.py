"""Backend and devices: what is refused before a run."""

from __future__ import annotations

import pytest

from pipeline.config.sources import ConfigError, load_config


@pytest.mark.parametrize(
    ("arguments", "received"),
    [
        (("--training.distribution", "fully_sharded"), "Received: training.backend=tensorflow."),
        (
            ("--training.distribution", "data_parallel", "--training.devices", "3", "--training.batch-size", "8"),
            "Received: devices=3, batch_size=8.",
        ),
        (
            ("--training.distribution", "data_parallel", "--training.packing", "buckets"),
            "Received: training.distribution=data_parallel with packing=buckets.",
        ),
        (
            ("--training.distribution", "data_parallel", "--training.accumulation-steps", "2"),
            "with accumulation_steps on tensorflow.",
        ),
    ],
)
def test_devices_that_cannot_share_a_training_are_refused(arguments: tuple[str, ...], received: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(arguments, {})
    (problem,) = refused.value.problems
    assert received in problem


def test_devices_on_jax_may_accumulate() -> None:
    arguments = ("--training.backend", "jax", "--training.distribution", "fully_sharded")
    config = load_config((*arguments, "--training.devices", "4", "--training.accumulation-steps", "2"), {})
    assert (config.training.devices, config.training.accumulation_steps) == (4, 2)
