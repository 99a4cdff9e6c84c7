"""What the weights of two layers have in common, whatever the order of their numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from compare.models.recording.recorded import Recorded, weights_of

Array = npt.NDArray[np.floating]
_PROBES = 192
"""How many numbers of an array are looked up in another one."""
_ROUNDED = 6e-4
"""The mean difference of sorted numbers, as a share of their mean size, up to which one array is the other one rounded."""


@dataclass(frozen=True, eq=False)
class Print:
    """The sorted distinct numbers of one array; transposition, reshaping and another order of gates do not change them.

    Args:
        values: the numbers, sorted, without zeros and ones, which tell nothing.
        probes: some of them.
        size: the number of elements of the array.
    """

    values: Array
    probes: Array
    size: int

    def share_in(self, other: Print) -> float:
        """Return which share of the numbers the other array has too."""
        at = np.minimum(np.searchsorted(other.values, self.probes), len(other.values) - 1)
        return float(np.mean(other.values[at] == self.probes))

    def alike(self, other: Print) -> float:
        """Return how much of one array is in the other, from 0 to 1."""
        share = max(self.share_in(other), other.share_in(self))
        if share < 0.5 and len(self.values) == len(other.values):
            off = np.abs(self.values - other.values).mean(dtype=float)
            if off <= _ROUNDED * np.abs(self.values).mean(dtype=float):
                return 0.8
        return share if share >= 0.3 else 0.0


def prints_of(call: Recorded) -> list[Print]:
    """Return the fingerprints of a layer's arrays, of its matrices if it has any; arrays of a single number tell nothing."""
    if call.adapter is not None:
        arrays = [array for *_, one in call.adapter.get_weights() for part, array in one.arrays() if "kernel" in part]
    else:
        arrays = [each for each in weights_of(call.native).values() if each.dtype.kind == "f"]
        arrays = [each for each in arrays if each.ndim > 1] or arrays
    return [made for array in arrays if (made := _print(array)) is not None]


def _print(array: Array) -> Print | None:
    values = np.unique(array.astype(np.float32))
    values = values[np.isfinite(values) & (values != 0) & (np.abs(values) != 1)]
    if len(values) < 2:
        return None
    every = max(1, len(values) // _PROBES)
    return Print(values, values[::every], array.size)


def similarity(ones: list[Print], others: list[Print]) -> float:
    """Return which share of the arrays of one layer are in the other, from 0 to 1: the larger of both shares."""
    if not ones or not others:
        return 0.0
    table = np.array([[one.alike(other) for other in others] for one in ones])
    return float(max(table.max(axis=1).mean(), table.max(axis=0).mean()))
