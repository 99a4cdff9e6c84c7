"""Arrays that are not stored row by row are read like NumPy's own views, and each element only once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frameworks.files.untrusted.derived_arrays import first_axis, reshaped, strided
from frameworks.files.untrusted.source import StoredArray

Array = Any


class Bytes:
    """A storage in memory that counts the bytes that are read."""

    def __init__(self, elements: Array) -> None:
        self.content, self.read, self.calls = elements.view(np.uint8), 0, 0
        self.array = StoredArray(elements.shape, elements.dtype, self.read_into)

    def read_into(self, start: int, buffer: memoryview) -> None:
        buffer[:] = self.content.data[start : start + len(buffer)]
        self.read += len(buffer)
        self.calls += 1


@st.composite
def views(draw: Any) -> tuple[Array, int, Array]:
    """Return elements, an offset, and a view of them that NumPy made by transposing and slicing."""
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    elements = np.arange(draw(st.integers(0, 3)) + np.prod(shape) + draw(st.integers(0, 3)), dtype=np.int16)
    offset = draw(st.integers(0, len(elements) - int(np.prod(shape))))
    view = elements[offset : offset + int(np.prod(shape))].reshape(shape).transpose(draw(st.permutations(range(len(shape)))))
    cut = tuple(slice(draw(st.integers(0, size - 1)), None, draw(st.integers(1, 3))) for size in view.shape)
    view = view[cut]
    start = (view.__array_interface__["data"][0] - elements.__array_interface__["data"][0]) // elements.itemsize
    return elements, start, view


@given(views(), st.data())
def test_every_part_of_a_view_is_numpy_s(made: tuple[Array, int, Array], data: st.DataObject) -> None:
    elements, start, view = made
    steps = tuple(step // elements.itemsize for step in view.strides)
    array = strided(Bytes(elements).array, start, view.shape, steps, "a view")
    np.testing.assert_array_equal(array.read(), view)
    first = data.draw(st.integers(0, view.shape[0] - 1))
    np.testing.assert_array_equal(first_axis(array, first, view.shape[0]).read(), view[first:])
    if view.ndim == 2:
        rows, columns = (slice(*sorted(data.draw(st.tuples(*[st.integers(0, size)] * 2)))) for size in view.shape)
        if rows.stop > rows.start and columns.stop > columns.start:
            np.testing.assert_array_equal(array.block(rows, columns), view[rows, columns])
            other = reshaped(array, (view.size, 1)).block(slice(0, view.size), slice(0, 1))
            np.testing.assert_array_equal(other, view.reshape(-1, 1))


@pytest.mark.parametrize(("rows", "columns"), [(slice(0, 300), slice(0, 7)), (slice(17, 40), slice(0, 200))])
def test_a_transposed_matrix_is_read_once_in_blocks_of_rows_or_columns(rows: slice, columns: slice) -> None:
    elements = np.random.default_rng(0).standard_normal(300 * 200)
    view = elements.reshape(200, 300).T
    storage = Bytes(elements)
    matrix = strided(storage.array, 0, (300, 200), (1, 300), "a matrix")
    wanted = view[rows, columns]
    np.testing.assert_array_equal(matrix.block(rows, columns), wanted)
    assert storage.read <= 2 * wanted.nbytes
    assert storage.calls <= 200
