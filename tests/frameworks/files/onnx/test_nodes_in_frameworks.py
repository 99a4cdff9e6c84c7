"""Nodes of ONNX are built in the framework that computes them, and called as its layers are.

Covers: `frameworks/files/onnx`, `frameworks/files/building`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.rows import FrameworkName
from tests.frameworks.files.onnx.test_nodes import SIZE, H, graph, node, onnx_run, opened, weights

pytestmark = pytest.mark.frameworks


@pytest.mark.backend
@pytest.mark.parametrize("to", ["pytorch", "keras"])
def test_a_node_is_called_like_torch_with_the_time_first_unless_the_layout_says_otherwise(
    tmp_path: Path, to: FrameworkName
) -> None:
    import torch

    arrays, x = weights("LSTM", 2), np.random.default_rng(1).normal(size=(5, 2, SIZE)).astype("float32")
    expected = np.concatenate([onnx_run("LSTM", arrays, way, x) for way in range(2)], axis=-1)
    for layout in (0, 1):
        content = graph([node("LSTM", "x W R B", "y", "rec", direction="bidirectional", layout=layout)], arrays)
        layer = opened(tmp_path / "a.onnx", content)["rec"].emulate(to)
        inputs = x.swapaxes(0, 1) if layout else x
        with torch.no_grad():
            output, (h_n, _) = layer(torch.tensor(inputs) if to == "pytorch" else inputs)
        actual = np.asarray(output.detach().cpu() if isinstance(output, torch.Tensor) else output)
        np.testing.assert_allclose(actual.swapaxes(0, 1) if layout else actual, expected, rtol=0, atol=1e-6)
        assert tuple(h_n.shape) == (2, 2, H)


def test_a_gru_that_resets_before_the_product_becomes_a_keras_layer_and_not_a_torch_one(tmp_path: Path, refused: Any) -> None:
    layer = opened(tmp_path / "a.onnx", graph([node("GRU", "x W R B", "y", "rec")], weights("GRU")))["rec"]
    with refused("reset_after"):
        layer.convert("pytorch")
    assert layer.convert("keras").reset_after is False
