"""Several devices of one machine for one training.

- ``data_parallel``: every device has the whole model and takes its share of each batch's rows: `keras.distribution` on
  JAX, MirroredStrategy on TensorFlow;
- ``fully_sharded``, on JAX: besides, every device keeps only its share of the large weights and of their optimizer
  state, and gets the others' for the moment in which it computes with them (Rajbhandari et al., 2020, ZeRO stage 3).

The loss of a step is the same as on one device: the weights of a batch's tokens add up to 1 over all devices.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras

from modules.training.slots import Sharing

logger = logging.getLogger(__name__)


class DeviceError(ValueError):
    """The devices that there are cannot share a training as asked."""

    user_message = True


@contextlib.contextmanager
def shared_training(
    distribution: str, *, devices: int, batch_size: int, sharding: Mapping[str, tuple[str | None, ...]]
) -> Iterator[Sharing]:
    """Has models made for, and trained on, several devices while it is active.

    Args:
        distribution: ``none``, ``data_parallel`` or ``fully_sharded``.
        devices: how many; 0 for all.
        batch_size: rows of a batch.
        sharding: the model family's, for ``fully_sharded``.

    Raises:
        DeviceError: If there are not as many, they do not divide the batch, or the backend cannot do it.
    """
    if distribution == "none":
        yield Sharing()
        return
    on_jax = keras.backend.backend() == "jax"
    chosen = choose(_jax_devices() if on_jax else _tensorflow_devices(), devices, batch_size=batch_size)
    if distribution == "fully_sharded" and not on_jax:
        raise DeviceError(
            "training.distribution=fully_sharded needs Keras on JAX. "
            f"Received: {keras.backend.backend()}. Set training.backend=jax, or take data_parallel."
        )
    logger.info("Training on %d devices, %s: %s", len(chosen), distribution, ", ".join(chosen))
    with _jax_scope(distribution, chosen, sharding) if on_jax else _tensorflow_scope(chosen):
        yield Sharing(len(chosen), apart=not on_jax)


def choose(found: Sequence[str], count: int, *, batch_size: int) -> list[str]:
    """Returns the first `count` of the devices that were found; all if it is 0.

    Raises:
        DeviceError: If there are fewer, or they do not suit the batch.
    """
    wanted = count or len(found)
    if wanted > len(found):
        raise DeviceError(
            "training.devices cannot exceed the devices of this machine. "
            f"Received: devices={count}; there are {', '.join(found)}. Set it to 0 for all of them."
        )
    if batch_size % wanted:
        raise DeviceError(
            "Devices that share a training must divide training.batch_size: each takes as many rows. "
            f"Received: {wanted} devices, batch_size={batch_size}. Set training.devices or training.batch_size."
        )
    return list(found[:wanted])


def sum_before_clipping(optimizer: keras.optimizers.Optimizer) -> None:
    """Makes MirroredStrategy clip the gradient of the whole batch: Keras clips each device's before it adds them up."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    clip, distribute = inner._clip_gradients, importlib.import_module("tensorflow").distribute

    def clip_sum(gradients: list[Any]) -> list[Any]:
        context = distribute.get_replica_context()
        clipped = clip(context.all_reduce(distribute.ReduceOp.SUM, gradients))
        # Keras adds up what is now the same on all.
        return [gradient / context.num_replicas_in_sync for gradient in clipped]

    inner._clip_gradients = clip_sum


def _jax_devices() -> list[str]:
    return [str(device) for device in keras.distribution.list_devices()]


def _tensorflow_devices() -> list[str]:
    config = importlib.import_module("tensorflow").config
    devices = config.list_logical_devices("GPU") or config.list_logical_devices("CPU")
    return [device.name for device in devices]


def _jax_scope(
    distribution: str, devices: Sequence[str], sharding: Mapping[str, tuple[str | None, ...]]
) -> contextlib.AbstractContextManager[None]:
    mesh = keras.distribution.DeviceMesh((len(devices),), ["batch"], list(devices))
    if distribution == "data_parallel":
        return keras.distribution.DataParallel(device_mesh=mesh).scope()
    layouts = keras.distribution.LayoutMap(mesh)
    for path, layout in sharding.items():
        layouts[path] = layout
    return keras.distribution.ModelParallel(layout_map=layouts, batch_dim_name="batch").scope()


def _tensorflow_scope(devices: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    return importlib.import_module("tensorflow").distribute.MirroredStrategy(list(devices)).scope()
