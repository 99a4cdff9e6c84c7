"""Copying between two matrices whose memory orders are transposed, almost as fast as a plain copy.

`numpy.copyto` is slow here because it walks one of the two matrices across its rows. The sizes of kernels are mostly powers of
two, so all these accesses fall into the same few cache sets. Therefore each block is first copied along its rows into a small
scratch array with padded rows, and transposed from there. Threads share the blocks, since NumPy releases the interpreter lock.
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
"""The rows and columns of a block, and the padding of a scratch row. Smaller blocks are slow, larger ones exceed the cache."""
_SMALL = 1 << 18
"""Below this number of elements, threads and scratch cost more than they save."""
_MOST_THREADS = 4


def copy_arrays(pairs: Iterable[Pair]) -> None:
    """Copy each source into its target of the same shape and dtype, in place, bit for bit.

    Args:
        pairs: (target, source), views of any strides; large matrices with transposed memory orders are copied in blocks.

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
        todo = iter(blocks)  # shared by all threads, so that a slow one does not hold up the others
        threads = min(os.cpu_count() or 1, _MOST_THREADS, len(blocks))
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_copy_blocks, [todo] * threads))


def _require_alike(target: Array, source: Array) -> None:
    if (target.shape, target.dtype) != (source.shape, source.dtype):
        raise InvalidValueError.because(
            "the source of a copy",
            must=f"be {target.dtype} of shape {target.shape} like its target",
            but=f"is {source.dtype} of shape {source.shape}",
            remedy="Cast or slice it first.",
        )


def _transposed(target: Array, source: Array) -> bool:
    # NumPy handles two arrays that share memory; copying in blocks does not.
    return _by_columns(target) != _by_columns(source) and not np.may_share_memory(target, source)


def _by_columns(array: Array) -> bool:
    return abs(array.strides[0]) < abs(array.strides[1])


def _cut(target: Array, source: Array) -> Iterator[Pair]:
    if _by_columns(target):
        target, source = target.T, source.T
    # From here on, the source's first axis is its fast one; the target's fast axis is its last.
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
