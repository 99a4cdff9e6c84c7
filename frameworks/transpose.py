"""Copying between two matrices that lie transposed to each other, at a good part of the speed of a plain copy.

Why not `numpy.copyto`: one side of it walks the matrix across its rows, and with the powers of two that kernels are made of,
all those steps fall into the same few cache lines. A block is therefore first copied along its rows into a small scratch
whose rows are padded, and turned from there; the threads share the blocks, since NumPy lets go of the interpreter lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

_ROWS, _COLUMNS, _PADDING = 512, 128, 16
_SMALL = 1 << 18
"""Elements up to which threads and scratch cost more than they save."""


def copy_arrays(pairs: Iterable[Pair]) -> None:
    """Copy each source into its target of the same shape, in place.

    Args:
        pairs: (target, source), views of any strides; matrices that lie transposed to each other are copied in blocks.
    """
    blocks: list[Pair] = []
    for target, source in pairs:
        if target.ndim == 2 and target.size > _SMALL and _transposed(target, source):
            blocks.extend(_cut(target, source))
        else:
            np.copyto(target, source, casting="no")
    if blocks:
        workers = min(os.cpu_count() or 1, 4)
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(_copy_blocks, [blocks[start::workers] for start in range(workers)]))


def _transposed(target: Array, source: Array) -> bool:
    return (abs(target.strides[0]) < abs(target.strides[1])) != (abs(source.strides[0]) < abs(source.strides[1]))


def _cut(target: Array, source: Array) -> Iterator[Pair]:
    if abs(source.strides[1]) < abs(source.strides[0]):
        target, source = target.T, source.T
    # From here the source's first axis is its fast one, the target's its last.
    for row, column in product(range(0, target.shape[0], _ROWS), range(0, target.shape[1], _COLUMNS)):
        place = slice(row, row + _ROWS), slice(column, column + _COLUMNS)
        yield target[place], source[place]


def _copy_blocks(blocks: list[Pair]) -> None:
    if not blocks:
        return
    scratch = np.empty((_COLUMNS, _ROWS + _PADDING), blocks[0][1].dtype)
    for target, source in blocks:
        part = scratch[: source.shape[1], : source.shape[0]]
        np.copyto(part, source.T)
        np.copyto(target, part.T)
