"""Arrays copied from one file to another in blocks, so that memory use does not grow with their size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.copying import fill
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import StoredArray, empty
from frameworks.layouts import Layout, axis_sizes
from frameworks.part_layout import Stored
from frameworks.transpose import copy_arrays
from frameworks.weights import BIASES, DirectionWeights

Array = npt.NDArray[Any]
Box = Mapping[str, slice]
"""A part of an array: the range along each axis; an axis that is not listed is used in full."""

BLOCK = 16 << 20
"""The most bytes in a block, except for a single row that is larger."""


@dataclass(frozen=True, eq=False)
class Tensor:
    """An array to be written.

    Args:
        shape: the array's shape.
        dtype: the array's dtype, little-endian.
        blocks: yields its elements as contiguous arrays of whole rows; each call starts from the beginning.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    blocks: Callable[[], Iterator[Array]]

    @property
    def nbytes(self) -> int:
        """The number of bytes of all elements."""
        return math.prod(self.shape) * self.dtype.itemsize


def ahead(blocks: Iterator[Array]) -> Iterator[Array]:
    """Yield the same blocks; another thread computes each one while the previous one is written."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = maker.submit(next, blocks, None)
            yield block
            del block


def whole(array: Array) -> Tensor:
    """Return an array in memory, as one block."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return Tensor(array.shape, little.dtype, lambda: iter((little,)))


def unchanged(array: StoredArray) -> Tensor:
    """Return an array as it is."""
    return reshaped(array, array.shape)


def reshaped(array: StoredArray, shape: tuple[int, ...]) -> Tensor:
    """Return the elements of an array in the same order, in another shape."""

    def blocks() -> Iterator[Array]:
        rows, *inner = shape or (1,)
        nbytes = math.prod(inner) * array.dtype.itemsize
        for part in _ranges(rows if nbytes else 0, nbytes):
            yield replace(array, shape=(part.stop - part.start, *inner), start=array.start + part.start * nbytes).read()

    return _tensor(shape, array.dtype, blocks)


def transposed(array: StoredArray, axes: tuple[int, ...]) -> Tensor:
    """Return an array with its axes in another order; a large matrix is read in blocks of columns."""

    def blocks() -> Iterator[Array]:
        if array.nbytes <= BLOCK or len(axes) != 2:
            yield np.ascontiguousarray(array.read().transpose(axes))
            return
        rows, columns = array.shape
        for part in _ranges(columns, rows * array.dtype.itemsize):
            block = empty((part.stop - part.start, rows), array.dtype.newbyteorder("="))
            copy_arrays([(block, array.block(slice(0, rows), part).T)])
            yield block

    if axes == tuple(range(len(axes))):
        return unchanged(array)
    return _tensor(tuple(array.shape[axis] for axis in axes), array.dtype, blocks)


def cell_tensors(cell: StoredCell, target: Layout) -> dict[str, Tensor]:
    """Return the arrays of a cell in another layout, by their names there; unchanged if the layout is the cell's own."""
    if cell.layout is target:
        return {name: unchanged(array) for name, array in cell.arrays.items()}
    tensors: dict[str, Tensor] = {}
    for part, stored in target.parts(cell.spec).items():
        if stored.name in tensors:
            continue
        make = _biases if part in BIASES else _kernel
        tensors[stored.name] = make(cell, target, part, stored)
    return tensors


def _biases(cell: StoredCell, target: Layout, part: str, stored: Stored) -> Tensor:  # noqa: ARG001  the signature of _kernel
    shape, dtype = stored.shape(axis_sizes(cell.spec, 0)), np.dtype(cell.spec.dtype)

    def blocks() -> Iterator[Array]:
        names = {name for part in BIASES for name in _names(cell, part)}
        arrays = {name: array.read() for name, array in cell.arrays.items() if name in names}
        views = cell.layout.views(arrays, cell.spec, 0)
        made: Array = np.empty(shape, dtype)
        absent = np.empty((0, 0, 0), dtype)
        fill(
            {stored.name: made},
            target,
            cell.spec,
            0,
            DirectionWeights(cell.layout.gates[cell.spec.cell], absent, absent, **views),
        )
        yield made

    return _tensor(shape, dtype, blocks)


def _kernel(cell: StoredCell, target: Layout, part: str, stored: Stored) -> Tensor:
    spec, sizes = cell.spec, axis_sizes(cell.spec, 0)
    shape, dtype = stored.shape(sizes), np.dtype(spec.dtype)
    gates = target.gates[spec.cell]

    def blocks() -> Iterator[Array]:
        for box in _boxes(stored, sizes, dtype.itemsize):
            made = empty(stored.shape(_within(sizes, box)), dtype)
            views = stored.view(made, part, _within(sizes, box))
            wanted = gates[box.get("gate", slice(None))]
            copy_arrays(list(zip(views, _read_gates(cell, part, box, wanted), strict=True)))
            yield made

    return _tensor(shape, dtype, blocks)


def _read_gates(cell: StoredCell, part: str, box: Box, wanted: tuple[str, ...]) -> list[Array]:
    """Read each wanted gate of a kernel, (input, hidden), within the ranges of the box."""
    stored, spec = cell.layout.parts(cell.spec)[part], cell.spec
    gates, sizes = cell.layout.gates[cell.spec.cell], axis_sizes(cell.spec, 0)
    if not stored.is_plain:
        whole = cell.layout.views({name: cell.arrays[name].read() for name in _names(cell, part)}, spec, 0)[part]
        along = slice(None), *(box.get(axis, slice(None)) for axis in (_rows_of(part), "hidden"))
        return [whole[along][gates.index(gate)] for gate in wanted]
    if "gate" not in box and any(group[-1] in box for group in stored.groups if len(group) == 2):
        # The same part of several gates' blocks is not contiguous.
        return [one for gate in wanted for one in _read_gates(cell, part, {**box, "gate": slice(0, 1)}, (gate,))]
    if "gate" in box:
        at = gates.index(wanted[0])
        box, gates = {**box, "gate": slice(at, at + 1)}, wanted
    array = cell.arrays[stored.name]
    views = stored.view(array.block(*(_range(group, sizes, box) for group in stored.groups)), part, _within(sizes, box))
    return [views[gates.index(gate)] for gate in wanted]


def _names(cell: StoredCell, part: str) -> tuple[str, ...]:
    """Return the names of the arrays that hold a part; () if the cell lacks it."""
    stored = cell.layout.parts(cell.spec).get(part)
    return tuple(stored.gates_by_array(cell.layout.gates[cell.spec.cell])) if stored else ()


def _rows_of(part: str) -> str:
    return "input" if part == "kernel" else "from"


def _range(group: tuple[str, ...], sizes: Mapping[str, int], box: Box) -> slice:
    """Return the range along a group of axes: a single axis, or a gate fused with another axis."""
    inner = box.get(group[-1], slice(0, sizes[group[-1]]))
    outer = box.get(group[0], slice(0, sizes[group[0]])) if len(group) == 2 else slice(0, 1)
    return slice(outer.start * sizes[group[-1]] + inner.start, (outer.stop - 1) * sizes[group[-1]] + inner.stop)


def _within(sizes: Mapping[str, int], box: Box) -> dict[str, int]:
    return {**sizes, **{axis: part.stop - part.start for axis, part in box.items()}}


def _boxes(stored: Stored, sizes: Mapping[str, int], itemsize: int) -> Iterator[Box]:
    """Cut an array along its first axis. A small array stays whole; fused gates are cut one at a time."""
    first, row = stored.groups[0], stored.shape(sizes)[1] * itemsize
    if stored.shape(sizes)[0] * row <= BLOCK:
        yield {}
        return
    for gate in range(sizes["gate"]) if "gate" in first else [None]:
        for part in _ranges(sizes[first[-1]], row):
            yield {first[-1]: part} | ({} if gate is None else {"gate": slice(gate, gate + 1)})


def _ranges(count: int, nbytes: int) -> Iterator[slice]:
    """Cut rows of a given number of bytes into ranges of at most `BLOCK`."""
    step = max(BLOCK // nbytes, 1)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def _tensor(shape: tuple[int, ...], dtype: np.dtype[Any], blocks: Callable[[], Iterator[Array]]) -> Tensor:
    return Tensor(shape, dtype.newbyteorder("<"), blocks)
