"""Copies in blocks equal plain copies, for every memory order of the two matrices."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frameworks import transpose
from frameworks.transpose import copy_arrays

Array = npt.NDArray[Any]


def _inside(array: Array) -> Array:
    wide = np.zeros((array.shape[0], 3 * array.shape[1]), array.dtype)
    wide[:, array.shape[1] : 2 * array.shape[1]] = array
    return wide[:, array.shape[1] : 2 * array.shape[1]]


LARGE = ((521, 613), (2048, 130), (100, 4001))  # above the size where copying in blocks begins, with whole and cut blocks
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "rows": lambda array: array,
    "columns": np.asfortranarray,
    "a part of something wider": _inside,
    "backwards": lambda array: np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1],
    "columns backwards": lambda array: np.asfortranarray(array[::-1])[::-1],
}


@pytest.mark.parametrize("shape", [*LARGE, (7, 5), (1, 9), (300_000, 1)], ids=str)
@pytest.mark.parametrize("to", LAYOUTS)
@pytest.mark.parametrize("source", LAYOUTS)
def test_every_element_arrives_and_nothing_else_is_touched(source: str, to: str, shape: tuple[int, int]) -> None:
    values = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    given, target = LAYOUTS[source](values.copy()), LAYOUTS[to](np.full(shape, -1, np.float32))
    copy_arrays([(target, given)])
    np.testing.assert_array_equal(target, values)
    np.testing.assert_array_equal(given, values)
    if target.base is not None and to == "a part of something wider":
        assert not target.base[:, : shape[1]].any()
        assert not target.base[:, 2 * shape[1] :].any()


def test_bits_are_copied_not_numbers() -> None:
    bits = np.array([0x7F800001, 0x7FC01234, 0x80000000, 0xFF800000], np.uint32)
    values = np.resize(bits, (600, 500)).view(np.float32)
    target = np.empty((500, 600), np.float32).T
    copy_arrays([(target, values)])
    np.testing.assert_array_equal(np.ascontiguousarray(target).view(np.uint32), np.resize(bits, (600, 500)))


def test_many_arrays_are_copied_together() -> None:
    rng = np.random.default_rng(0)
    sources = [rng.standard_normal(shape) for shape in (*LARGE, (3,), (4, 5))]
    targets = [np.empty(array.shape[::-1]).T for array in sources]
    copy_arrays(zip(targets, sources, strict=True))
    for target, source in zip(targets, sources, strict=True):
        np.testing.assert_array_equal(target, source)


@pytest.mark.parametrize("wrong", [np.zeros((3, 5), "f8"), np.zeros((5, 3), "f4"), np.zeros(5, "f4"), np.zeros((1, 5), "f4")])
def test_nothing_is_cast_or_broadcast_and_nothing_written_before_all_is_checked(
    wrong: Array, refused: Callable[..., Any]
) -> None:
    first, second = np.full((3, 5), 7, "f4"), np.full((3, 5), 7, "f4")
    with refused("float32 of shape (3, 5)", f"{wrong.dtype} of shape {wrong.shape}"):
        copy_arrays([(first, np.zeros_like(first)), (second, wrong)])
    assert (first == 7).all()
    assert (second == 7).all()


@st.composite
def _views(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> Array:
    """Return a random view of that shape: any memory order of the axes, gaps, either direction; its bits are random."""
    axes = draw(st.permutations(range(len(shape))))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -3])) for _ in shape]
    sizes = [shape[axis] * abs(steps[axis]) for axis in axes]
    seed = draw(st.integers(0, 2**32 - 1))
    owner = np.frombuffer(bytearray(np.random.default_rng(seed).bytes(math.prod(sizes) * np.dtype(dtype).itemsize)), dtype)
    turned: Array = owner.reshape(sizes).transpose(np.argsort(axes))
    return turned[tuple(slice(None, None, step) for step in steps)][tuple(map(slice, shape))]


@settings(max_examples=200)
@given(data=st.data())
def test_views_of_any_kind_hold_what_a_plain_assignment_gives(data: st.DataObject) -> None:
    """With blocks of eight, so that few elements fill whole blocks, cut blocks and several threads; random bits include NaN."""
    pairs, expected = [], []
    for _ in range(data.draw(st.integers(1, 3))):
        shape = data.draw(
            st.one_of(st.tuples(*[st.integers(1, 19)] * 2), st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple))
        )
        dtype = data.draw(st.sampled_from(["f2", "f4", "f8", "c8", "c16", "i1", "u2", ">f4", "i8"]))
        target, source = data.draw(_views(shape, dtype)), data.draw(_views(shape, dtype))
        pairs.append((target, source))
        expected.append(source.tobytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transpose, "_BLOCK", 8)
        patch.setattr(transpose, "_SMALL", data.draw(st.sampled_from([0, 64, 65])))
        copy_arrays(pairs)
    assert [target.tobytes() for target, _ in pairs] == expected
    assert [source.tobytes() for _, source in pairs] == expected


@pytest.mark.parametrize("size", [511, 512, 513])
def test_around_the_size_where_blocks_begin_every_element_arrives(size: int) -> None:
    source = np.random.default_rng(0).random((size, 512))
    target = np.empty((512, size)).T
    copy_arrays([(target, source)])
    np.testing.assert_array_equal(target, source)


def test_a_matrix_is_transposed_within_its_own_memory() -> None:
    matrix = np.random.default_rng(0).random((600, 600))
    expected = matrix.T.copy()
    copy_arrays([(matrix, matrix.T)])
    np.testing.assert_array_equal(matrix, expected)
