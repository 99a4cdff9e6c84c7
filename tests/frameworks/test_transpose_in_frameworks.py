"""Arrays of the frameworks are copied within their own memory, and none that a framework still reads is written.

Covers: `frameworks/transpose.py`.
"""

from __future__ import annotations

import tracemalloc
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from frameworks import copy_weights


def _pair(size: int) -> tuple[Any, Any]:
    keras, torch = import_module("keras"), import_module("torch")
    layer = keras.layers.LSTM(size, recurrent_initializer="glorot_uniform")  # an orthogonal initialisation takes long
    layer.build((None, None, size))
    return layer, torch.nn.LSTM(size, size)


@pytest.mark.backend
def test_a_copy_needs_less_memory_than_one_tensor_to_torch_and_than_two_to_keras() -> None:
    """NumPy reports the memory; the benchmark measures what the framework itself allocates."""
    layer, module = _pair(768)
    tensor = 768 * 4 * 768 * 4
    for source, target, most in ((layer, module, 1), (module, layer, 2)):
        tracemalloc.start()
        copy_weights(source, target)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        copy_weights(source, target)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak - before < most * tensor


@pytest.mark.backend
def test_memory_handed_to_keras_is_never_written_again() -> None:
    keras, torch = import_module("keras"), import_module("torch")
    (first, module), (second, other) = _pair(64), _pair(64)
    copy_weights(module, first)
    held = keras.ops.copy(first.cell.kernel.value)
    expected = module.weight_ih_l0.detach().numpy().T.copy()
    copy_weights(other, second)
    copy_weights(other, first)
    copy_weights(module, first)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(held), expected)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(first.cell.kernel.value), expected)
    # What training does to a variable in place reaches neither the source nor another layer.
    first.cell.kernel.assign_add(keras.ops.ones_like(first.cell.kernel))
    np.testing.assert_array_equal(module.weight_ih_l0.detach().numpy().T, expected)
    kernel = keras.ops.convert_to_numpy(second.cell.kernel.value)
    np.testing.assert_array_equal(kernel, other.weight_ih_l0.detach().numpy().T)
    with torch.no_grad():
        other.weight_ih_l0.zero_()
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(second.cell.kernel.value), kernel)


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_tensorflow_takes_over_aligned_memory_and_earlier_reads_keep_the_old_numbers(library: str) -> None:
    layers = import_module(library).layers
    layer = layers.GRU(5)
    layer.build((None, None, 3))
    module = import_module("torch").nn.GRU(3, 5)
    variable = layer.cell.kernel if library == "tf_keras" else layer.cell.kernel.value
    read = variable.read_value()
    before = read.numpy().copy()
    copy_weights(module, layer)
    np.testing.assert_array_equal(read.numpy(), before)
    assert np.asarray(memoryview(variable.read_value())).ctypes.data % 64 == 0
