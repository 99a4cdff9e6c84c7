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

from frameworks.errors import InvalidValueError

Array = npt.NDArray[Any]
Pair = tuple[Array, Array]

_BLOCK, _PADDING = 512, 16
"""Rows and columns of a block: shorter ones cost NumPy more for each run, longer ones leave the cache."""
_SMALL = 1 << 18
"""Elements below which threads and scratch cost more than they save."""
_MOST_THREADS = 4


def copy_arrays(pairs: Iterable[Pair]) -> None:
    """Copy each source into its target of the same shape and dtype, in place, bit for bit.

    Args:
        pairs: (target, source), views of any strides; large matrices that lie transposed to each other are copied in blocks.

    Raises:
        GatewiseError: if a pair differs in shape or dtype; nothing is written then.
    """
    pairs = list(pairs)
    for target, source in pairs:
        _require_alike(target, source)
    blocks: list[Pair] = []
    for target, source in pairs:
        if target.ndim == 2 and target.size >= _SMALL and _transposed(target, source):
            blocks.extend(_cut(target, source))
        else:
            np.copyto(target, source)
    if blocks:
        todo = iter(blocks)  # one for all threads, so that none waits for another that was held up
        threads = min(os.cpu_count() or 1, _MOST_THREADS, len(blocks))
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_copy_blocks, [todo] * threads))


def _require_alike(target: Array, source: Array) -> None:
    if (target.shape, target.dtype) != (source.shape, source.dtype):
        raise InvalidValueError.because(
            "the source of a copy",
            must=f"be {target.dtype} of shape {target.shape}, as its target is",
            but=f"is {source.dtype} of shape {source.shape}",
            remedy="Cast or cut it first.",
        )


def _transposed(target: Array, source: Array) -> bool:
    # Where the two share memory, NumPy knows how to copy and the blocks do not.
    return _by_columns(target) != _by_columns(source) and not np.may_share_memory(target, source)


def _by_columns(array: Array) -> bool:
    return abs(array.strides[0]) < abs(array.strides[1])


def _cut(target: Array, source: Array) -> Iterator[Pair]:
    if _by_columns(target):
        target, source = target.T, source.T
    # From here the source's first axis is its fast one, the target's its last.
    for row, column in product(range(0, target.shape[0], _BLOCK), range(0, target.shape[1], _BLOCK)):
        place = slice(row, row + _BLOCK), slice(column, column + _BLOCK)
        yield target[place], source[place]


def _copy_blocks(blocks: Iterator[Pair]) -> None:
    scratch = np.empty(0)
    for target, source in blocks:
        if scratch.size == 0 or scratch.dtype != source.dtype:
            scratch = np.empty((_BLOCK, _BLOCK + _PADDING), source.dtype)
        rows, columns = source.shape
        turned = scratch[:columns, :rows]
        np.copyto(turned, source.T)
        np.copyto(target, turned.T)
