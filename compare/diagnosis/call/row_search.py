"""Explaining a result that is no expression as a whole: some of its rows are, their order is another one, or all are scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.expressions import Expression

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Part:
    """The rows of a result that are not the right ones.

    Args:
        rows: their numbers.
        order: for each row of the result the number of the right row that it is; () if the rows are in order.
        factor: what all of the result is multiplied by.
    """

    rows: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    factor: float = 1.0

    def apply(self, right: Expression, found: Expression) -> Array:
        """Return the right result with these rows taken from another expression, or in their order."""
        axis = right.batch_axis or 0
        if self.factor != 1:
            return right.value * self.factor
        if self.order:
            return np.take(right.value, self.order, axis)
        value = np.moveaxis(right.value, axis, 0).copy()
        value[list(self.rows)] = np.moveaxis(found.value, axis, 0)[list(self.rows)]
        return np.moveaxis(value, 0, axis)


def match_by_rows(
    array: Array, every: Sequence[Expression], right: Expression, tolerance: float
) -> tuple[Expression, Part] | None:
    """Return the expression that some rows of a result are, while the others are right, and those rows; None if there is none.

    The rows may also be the right ones in another order.

    Args:
        array: the result of the port.
        every: all expressions.
        right: the right one.
        tolerance: the share of max(1, max |expected|) that may be off.
    """
    if right.value.shape != array.shape or not array.size:
        return None
    factor = _factor(array, right.value, tolerance)
    if factor is not None:
        scaled = replace(right, text=f"{factor:.6g} * {right.text}", compute=lambda: right.value * factor)
        return scaled, Part(factor=factor)
    if right.batch_axis is None or array.shape[right.batch_axis] < 2:
        return None
    is_right = _fitting_rows(array, right, tolerance)
    for each in every if is_right.any() else ():
        if each.value.shape == array.shape and each.batch_axis == right.batch_axis:
            fits = _fitting_rows(array, each, tolerance)
            if (is_right | fits).all():
                return each, Part(tuple(np.flatnonzero(~is_right).tolist()))
    return _other_order(array, right, tolerance)


def _factor(array: Array, right: Array, tolerance: float) -> float | None:
    """Return the factor between a result and the right one, or None."""
    with np.errstate(all="ignore"):
        one, other = np.asarray(array, np.float64).ravel(), np.asarray(right, np.float64).ravel()
        factor = float(np.vdot(one, other) / np.vdot(other, other))
        off = float(np.abs(one - factor * other).max())
    is_one = off <= tolerance * max(abs(factor), 1e-3) * max(1.0, float(np.abs(other).max()))
    return factor if is_one and abs(factor) > 1e-3 and one.size > 1 else None


def _fitting_rows(array: Array, expression: Expression, tolerance: float) -> npt.NDArray[np.bool_]:
    return _far(array, expression.value, expression.batch_axis or 0) <= tolerance


def _far(array: Array, expected: Array, axis: int) -> Array:
    """Return the largest difference in each row, as a share of max(1, max |expected|)."""
    with np.errstate(all="ignore"):
        far = np.moveaxis(np.abs(array - expected), axis, 0).reshape(array.shape[axis], -1).max(1)
        share: Array = far / max(1.0, float(np.abs(expected).max(initial=0)))
    return share


def _other_order(array: Array, right: Expression, tolerance: float) -> tuple[Expression, Part] | None:
    axis = right.batch_axis or 0
    order: list[int] = []
    for row in np.moveaxis(array, axis, 0):
        alone = np.broadcast_to(np.expand_dims(row, axis), right.value.shape)
        fits = np.flatnonzero(_far(alone, right.value, axis) <= tolerance)
        left = [int(number) for number in fits if number not in order]
        if not left:
            return None
        order.append(left[0])
    moved = tuple(number for number, other in enumerate(order) if number != other)
    cut = "[" + ":, " * axis + f"{order}]"
    text = f"{right.text}{cut}"
    found = Expression(
        text, lambda: np.take(right.value, order, axis), right.what, time="rows in another order", batch_axis=axis
    )
    return (found, Part(moved, tuple(order))) if moved else None
