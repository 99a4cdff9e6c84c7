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
        empty = {name: np.empty(shape, canonical.dtype) for name, shape in self._shapes(layout).items()}
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

    def _shapes(self, layout: Layout) -> Mapping[str, tuple[int, ...]]:
        table = getattr(layout, self.part)
        return {table.name: layout.shapes(replace(self.spec, bias=False), self.layer)[table.name]}


def _reshaped(array: Array, matrix: Matrix) -> Array | None:
    """Reshape the whole stored matrix."""
    source = matrix.stored(array, matrix.source)
    shape = matrix.stored(array[:, :, :], matrix.target).shape
    return matrix.canonical(source.reshape(shape), matrix.target)


def _blocks_reshaped(array: Array, matrix: Matrix) -> Array | None:
    """Reshape the block of each gate, as in kernel[:, :n].reshape(n, -1)."""
    return (
        array.transpose(0, 2, 1).reshape(array.shape)
        if _is_transposed(matrix)
        else array.reshape(_turned(array)).transpose(0, 2, 1)
    )


def _blocks_not_transposed(array: Array, matrix: Matrix) -> Array | None:
    return array.transpose(0, 2, 1) if array.shape[1] == array.shape[2] else None


def _not_transposed(array: Array, matrix: Matrix) -> Array | None:
    return array.transpose(0, 2, 1) if len(array) == 1 and array.shape[1] == array.shape[2] else None


def _read_as_plain(array: Array, matrix: Matrix) -> Array | None:
    """Read the layout of CuDNN as Keras's own: its blocks are transposed and lie in the shape of plain ones."""
    turned = array.transpose(0, 2, 1)
    return turned.reshape(array.shape) if matrix.part == "kernel" else turned


def _read_as_cudnn(array: Array, matrix: Matrix) -> Array | None:
    """Read Keras's own layout as that of CuDNN."""
    return (array.reshape(_turned(array)) if matrix.part == "kernel" else array).transpose(0, 2, 1)


def _turned(array: Array) -> tuple[int, int, int]:
    return array.shape[0], array.shape[2], array.shape[1]


def _is_transposed(matrix: Matrix) -> bool:
    """Whether the source stores hidden units along the first axis, as torch does."""
    return matrix.source.kernel.groups[0] == ("gate", "hidden")


@dataclass(frozen=True)
class Structure:
    """One wrong structure.

    Args:
        mistakes: its identifier for each part.
        make: the function that makes it of the right canonical array; None where it does not apply.
        mixes_gates: whether it matters in which order the gates lay before.
    """

    mistakes: Mapping[str, str]
    make: Callable[[Array, Matrix], Array | None]
    mixes_gates: bool = False


_RESHAPED = MappingProxyType({"kernel": "kernel-reshaped", "recurrent_kernel": "recurrent-kernel-reshaped"})


def _for_both(mistake: str) -> Mapping[str, str]:
    return MappingProxyType({"kernel": mistake, "recurrent_kernel": mistake})


STRUCTURES: tuple[Structure, ...] = (
    Structure(MappingProxyType({"recurrent_kernel": "recurrent-kernel-not-transposed"}), _not_transposed),
    Structure(_RESHAPED, _reshaped, mixes_gates=True),
    Structure(_for_both("gate-blocks-not-transposed"), _blocks_not_transposed),
    Structure(_RESHAPED, _blocks_reshaped),
    Structure(_for_both("cudnn-layout-read-as-plain"), _read_as_plain),
    Structure(_for_both("cudnn-layout-read-as-plain"), _read_as_cudnn),
)
"""The wrong structures, the likeliest first."""
