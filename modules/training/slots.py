"""Divides a batch among devices, and its supervised tokens among slots. NumPy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from modules.training.packing import round_up

# A batch's supervised slots are a multiple of this, on each device.
SLOT_MULTIPLE = 8


class Sharing(NamedTuple):
    """The division of a batch among devices.

    Attributes:
        devices: how many there are, each of which takes as many rows.
        apart: whether each runs a model of its own, which sees only its own rows and slots; otherwise one computation
            over the whole batch is cut up behind the scenes.
    """

    devices: int = 1
    apart: bool = False

    @property
    def parts(self) -> int:
        """Parts of a batch whose slots count their own tokens only."""
        return self.devices if self.apart else 1

    @property
    def slot_multiple(self) -> int:
        """Returns what a batch's slots must be a multiple of."""
        return SLOT_MULTIPLE * self.devices

    @property
    def for_evaluation(self) -> Sharing:
        """Devices that work apart evaluate the same batches, all of them."""
        return Sharing() if self.apart else self


ALONE = Sharing()


def part_slots(inputs: dict[str, np.ndarray], *, parts: int) -> dict[str, np.ndarray]:
    """Returns the batch with its slots, targets and weights sorted by the part that their rows are in.

    Args:
        inputs: of a batch, the used slots first, in the order of their tokens.
        parts: of as many rows and slots each; a slot's index then counts within its part, whose used slots come first.
    """
    filled = int(np.count_nonzero(inputs["weights"]))
    tokens = inputs["token_ids"].size // parts
    at = inputs["supervised"][:filled]
    part = at // tokens
    slots = round_up(int(np.bincount(part, minlength=parts).max()), SLOT_MULTIPLE)
    place = part * slots + np.arange(filled) - np.searchsorted(part, part)
    values = {
        "supervised": at - part * tokens,
        "targets": inputs["targets"][:filled],
        # Each part's loss counts as one of `parts` in their mean.
        "weights": inputs["weights"][:filled] * np.float32(parts),
    }
    moved = {name: np.zeros(parts * slots, inputs[name].dtype) for name in values}
    for name, array in values.items():
        moved[name][place] = array
    return inputs | moved
