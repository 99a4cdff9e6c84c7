"""Arrays are written in blocks, and are those that the tables say."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from frameworks import RecurrentSpec
from frameworks.files.stored import StoredCell
from frameworks.files.untrusted.source import in_memory
from frameworks.files.writing import blocks as tensors
from frameworks.files.writing.blocks import cell_tensors
from frameworks.layouts import CUDNN, KERAS, ONNX, PYTORCH

LAYOUTS = [(KERAS, PYTORCH), (PYTORCH, KERAS), (ONNX, PYTORCH), (ONNX, KERAS), (CUDNN, KERAS), (CUDNN, PYTORCH)]
CELLS = [(*layouts, cell) for layouts in LAYOUTS for cell in ("lstm", "gru", "rnn") if (layouts[0], cell) != (CUDNN, "rnn")]


@pytest.mark.parametrize(("source", "target", "cell"), CELLS)
def test_arrays_written_in_blocks_or_whole_are_those_of_the_tables(
    source: Any, target: Any, cell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, rng = RecurrentSpec(cell, 5, 7), np.random.default_rng(4)
    arrays = {name: rng.normal(size=shape).astype("float32") for name, shape in source.shapes(spec, 0).items()}
    stored = StoredCell(spec, source, MappingProxyType({name: in_memory(array) for name, array in arrays.items()}))
    expected = stored.read().in_order(target.gates[cell])
    for size in (1 << 20, 60, 1):
        monkeypatch.setattr(tensors, "BLOCK", size)
        made = {
            name: np.concatenate([block.ravel() for block in tensor.blocks()]).reshape(tensor.shape)
            for name, tensor in cell_tensors(stored, target).items()
        }
        actual = target.read(made, spec, 0)
        np.testing.assert_array_equal(actual.kernel, expected.kernel)
        np.testing.assert_array_equal(actual.recurrent_kernel, expected.recurrent_kernel)
        np.testing.assert_allclose(np.asarray(actual.summed_bias()), np.asarray(expected.summed_bias()), atol=1e-6)


def test_a_large_matrix_is_transposed_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    array = np.arange(35, dtype="float32").reshape(5, 7)
    monkeypatch.setattr(tensors, "BLOCK", 41)
    blocks = list(tensors.transposed(in_memory(array), (1, 0)).blocks())
    assert len(blocks) == 4
    np.testing.assert_array_equal(np.concatenate(blocks), array.T)
