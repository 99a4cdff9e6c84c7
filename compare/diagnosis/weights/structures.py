"""The wrong ways to bring a matrix from one framework's layout into another's: reshaped, not transposed, another layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from frameworks.copying import fill
from frameworks.layouts import Layout, axis_sizes
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Matrix:
    """What the structure of a stored matrix depends on.

    Args:
        spec: the spec of the right layer.
        layer: the number of the layer.
        part: "kernel" or "recurrent_kernel".
        source: the layout of the right layer.
        target: the layout of the port.
    """

    spec: RecurrentSpec
    layer: int
    part: str
    source: Layout
    target: Layout

    def stored(self, canonical: Array, layout: Layout) -> Array:
        """Return the matrix as a layout stores it, from (gate, row, hidden) with gates in canonical order."""
        table = getattr(layout, self.part)
        empty = {name: np.empty(shape, canonical.dtype) for name, shape in self.shapes(layout).items()}
        weights = DirectionWeights(self.spec.gates, canonical, canonical)
        fill(empty, layout, replace(self.spec, bias=False), self.layer, weights)
        array: Array = empty[table.name]
        return array

    def canonical(self, stored: Array, layout: Layout) -> Array:
        """Return (gate, row, hidden), gates in canonical order, of a matrix as a layout stores it."""
        gates = layout.gates[self.spec.cell]
        table = getattr(layout, self.part)
        view = table.view(stored, self.part, axis_sizes(self.spec, self.layer))
        return np.asarray(view[[gates.index(gate) for gate in self.spec.gates]])

    def back(self) -> Matrix:
        """Return the matrix of a port in the other direction."""
        return replace(self, source=self.target, target=self.source)

    def shapes(self, layout: Layout) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of the matrix as a layout stores it, by its name there."""
        table = getattr(layout, self.part)
        return {table.name: layout.shapes(replace(self.spec, bias=False), self.layer)[table.name]}


def _reshaped(array: Array, matrix: Matrix) -> Array:
    """Reshape the whole stored matrix."""
    shape = next(iter(matrix.shapes(matrix.target).values()))
    reshaped: Array = matrix.stored(array, matrix.source).reshape(shape)
    return matrix.canonical(reshaped, matrix.target)


def _transposed(array: Array, _: Matrix) -> Array:
    """Transpose the block of each gate."""
    turned: Array = array.transpose(0, 2, 1)
    return turned


def _reshaped_to_rows(array: Array, matrix: Matrix) -> Array:
    """Transpose the block of each gate, and read it in its old shape."""
    turned: Array = _transposed(array, matrix).reshape(array.shape)
    return turned


def _reshaped_from_rows(array: Array, matrix: Matrix) -> Array:
    """Read the block of each gate in the shape of its transpose, and transpose it."""
    count, rows, units = array.shape
    return _transposed(array.reshape(count, units, rows), matrix)


def _blocks_reshaped(array: Array, matrix: Matrix) -> Array:
    """Reshape the block of each gate, as in kernel[:, :n].reshape(n, -1)."""
    from_torch = matrix.source.kernel.groups[0] == ("gate", "hidden")
    return (_reshaped_to_rows if from_torch else _reshaped_from_rows)(array, matrix)


def _read_as_plain(array: Array, matrix: Matrix) -> Array:
    """Read the layout of CuDNN as Keras's own: its blocks are transposed and lie in the shape of plain ones."""
    return (_reshaped_to_rows if matrix.part == "kernel" else _transposed)(array, matrix)


def _read_as_cudnn(array: Array, matrix: Matrix) -> Array:
    """Read Keras's own layout as that of CuDNN."""
    return (_reshaped_from_rows if matrix.part == "kernel" else _transposed)(array, matrix)


@dataclass(frozen=True)
class Structure:
    """One wrong structure.

    Args:
        mistakes: its identifier for each part.
        make: the function that makes it of the right canonical array.
        undo: the function that makes the right array of it.
        mixes_gates: whether it matters in which order the gates lay before.
        square: whether it only applies to a square matrix.
        counts: the numbers of gates of the cells that it applies to.
    """

    mistakes: Mapping[str, str]
    make: Callable[[Array, Matrix], Array]
    undo: Callable[[Array, Matrix], Array]
    mixes_gates: bool = False
    square: bool = False
    counts: tuple[int, ...] = (1, 3, 4)

    def applies(self, array: Array, part: str) -> bool:
        """Return whether the mistake can be made with an array of this shape."""
        is_square = array.shape[1] == array.shape[2]
        return part in self.mistakes and (is_square or not self.square) and len(array) in self.counts


_RESHAPED = MappingProxyType({"kernel": "kernel-reshaped", "recurrent_kernel": "recurrent-kernel-reshaped"})


def _for_both(mistake: str) -> Mapping[str, str]:
    return MappingProxyType({"kernel": mistake, "recurrent_kernel": mistake})


STRUCTURES: tuple[Structure, ...] = (
    Structure(
        MappingProxyType({"recurrent_kernel": "recurrent-kernel-not-transposed"}),
        _transposed,
        _transposed,
        square=True,
        counts=(1,),
    ),
    Structure(_RESHAPED, _reshaped, lambda array, matrix: _reshaped(array, matrix.back()), mixes_gates=True),
    Structure(_for_both("gate-blocks-not-transposed"), _transposed, _transposed, square=True),
    Structure(_RESHAPED, _blocks_reshaped, lambda array, matrix: _blocks_reshaped(array, matrix.back())),
    Structure(_for_both("cudnn-layout-read-as-plain"), _read_as_plain, _read_as_cudnn, counts=(3, 4)),
    Structure(_for_both("cudnn-layout-read-as-plain"), _read_as_cudnn, _read_as_plain, counts=(3, 4)),
)
"""The wrong structures, the likeliest first."""
