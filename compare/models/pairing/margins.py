"""The zeros that a model puts around the input of a convolution or pooling itself, in the place of its padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.models.pairing.axes import channel_axis, difference, laid_out
from compare.models.recording.recorded import Recorded

Array = npt.NDArray[Any]
_MOST = 64
"""How many ways to leave out a margin are tried where the margin is ambiguous."""


@dataclass(frozen=True)
class Margin:
    """What surrounds an input.

    Args:
        pads: (before, after) for each axis of the input.
        fill: the number that it consists of: 0, or minus infinity before a maximum.
        channels: the axis of the channels, which has no margin.
    """

    pads: tuple[tuple[int, int], ...] = ()
    fill: float = 0.0
    channels: int = -1

    def without(self, array: Array) -> Array:
        """Return the array without the margin."""
        return array[tuple(slice(before, size - after) for (before, after), size in zip(self.pads, array.shape, strict=False))]

    def around(self, array: Array) -> Array:
        """Return the array with the margin."""
        return np.pad(array, self.pads, constant_values=self.fill) if self.pads else array

    @property
    def spatial(self) -> tuple[tuple[int, int], ...]:
        """The margin without the axis of the batch and that of the channels, which have none."""
        return tuple(each for each in self.pads if any(each))


def margins(one: Recorded, two: Recorded) -> tuple[Margin, Margin]:
    """Return what surrounds the input of each of two layers and not that of the other, with the axes as `two` has them."""
    none = Margin(), Margin()
    if "channels" not in (one.family.axes, two.family.axes) or not one.inputs or not two.inputs:
        return none
    own = two.inputs[0]
    wanted = laid_out(one.inputs[0], own, one, two, exact=False)
    if wanted is None or wanted.ndim != own.ndim or wanted.shape == own.shape or own.dtype.kind != "f":
        return none
    more = [mine - yours for mine, yours in zip(own.shape, wanted.shape, strict=True)]
    channels = channel_axis(two, own)
    if more[0] or more[channels]:
        return none
    if min(more) >= 0:
        return Margin(), _margin(own, wanted, more, channels)
    return (_margin(wanted, own, [-each for each in more], channels), Margin()) if max(more) <= 0 else none


def _margin(larger: Array, smaller: Array, more: Sequence[int], channels: int) -> Margin:
    """Return the margin of the larger array; an empty one if its border holds anything but one number."""
    axis = next(at for at, each in enumerate(more) if each)
    edges = np.take(larger, [0, -1], axis)
    for fill in (0.0, -np.inf):
        if (edges == fill).all((*range(axis), *range(axis + 1, larger.ndim))).any():
            found = [Margin(pads, fill, channels) for pads in islice(product(*_pads(larger, more, fill)), _MOST)]
            return min(found, key=lambda each: difference(each.without(larger), smaller) or 0.0, default=Margin())
    return Margin()


def _pads(array: Array, more: Sequence[int], fill: float) -> Iterator[list[tuple[int, int]]]:
    """Yield for each axis how many of the missing places may be before and after."""
    for axis, each in enumerate(more):
        others = tuple(at for at in range(array.ndim) if at != axis)
        filled = (array == fill).all(others)
        before = int(np.argmin(filled[: each + 1])) if not filled[: each + 1].all() else each
        after = int(np.argmin(filled[::-1][: each + 1])) if not filled[::-1][: each + 1].all() else each
        yield [(at, each - at) for at in range(max(0, each - after), min(before, each) + 1)]
