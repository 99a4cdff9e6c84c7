"""The rows and steps that a search uses: few, but such that they show the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from compare.diagnosis.sides.right_side import Data

Array = npt.NDArray[np.floating]
_ROWS, _STEPS = 4, 16
_LARGE, _FEWER_STEPS = 256, 6
"""With more units than this, a search uses fewer steps."""


def windows(data: Data, right: Sequence[Array], port: Sequence[Array], *, all_rows: bool, units: int) -> Iterator[Data]:
    """Yield parts of the data, the smallest first and all of it last.

    Args:
        data: what both sides are called with.
        right: the right results.
        port: those of the port.
        all_rows: whether a side takes no other number of rows.
        units: the number of units.
    """
    rows, steps = data.inputs.shape[:2]
    few = _STEPS if units <= _LARGE else _FEWER_STEPS
    chosen = range(rows) if all_rows else _rows(rows, right, port)
    if len(chosen) == rows and steps <= few:
        yield data
        return
    for start in dict.fromkeys((0, max(0, steps - few))):
        yield data.part(chosen, slice(start, start + few))
    if steps > few:
        yield data.part(chosen, slice(0, steps))
    yield data


def _rows(count: int, right: Sequence[Array], port: Sequence[Array]) -> Sequence[int]:
    """Return the rows that differ most, and one that agrees, if there is one."""
    far = np.zeros(count)
    for one, other in zip(right, port, strict=True):
        axis = next((axis for axis in (0, 1) if one.ndim > axis and one.shape[axis] == count), None)
        if axis is not None and one.shape == other.shape:
            with np.errstate(all="ignore"):
                far = np.fmax(far, np.moveaxis(np.abs(one - other), axis, 0).reshape(count, -1).max(1))
    order = np.argsort(-far, kind="stable")
    return sorted({*order[: _ROWS - 1].tolist(), int(order[-1])})
