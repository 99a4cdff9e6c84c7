"""A convolution whose input the model itself pads is compared as one with that padding.

Covers: `compare/models/pairing/margins.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from tests.compare.models.ports import compared, filled, lay

L = keras.layers
IMAGES = np.random.default_rng(1).standard_normal((3, 9, 8, 4)).astype("float32")
SIGNAL = np.random.default_rng(2).standard_normal((3, 9, 4)).astype("float32")


class Padded(nn.Module):
    """Pad, convolve and pool as Keras does with "same" and a stride of 2; the pads and the order of the kernel are options."""

    def __init__(self, model: Any, pads: tuple[int, ...], fill: float = float("-inf"), order: tuple[int, ...] = (3, 2, 0, 1)):
        super().__init__()
        self.pads, self.fill = pads, fill
        self.conv, self.pool = nn.Conv2d(4, 5, 3, stride=2), nn.MaxPool2d(2)
        lay(self.conv.weight, np.array(model.layers[0].kernel).transpose(order))
        lay(self.conv.bias, model.layers[0].bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(nn.functional.pad(x.permute(0, 3, 1, 2), self.pads)))
        return self.pool(nn.functional.pad(x, (0, 0, 0, 1), value=self.fill)).permute(0, 2, 3, 1)  # type: ignore[no-any-return]


def keras_model() -> Any:
    conv = L.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="conv")
    return filled(keras.Sequential([keras.Input((9, 8, 4)), conv, L.MaxPooling2D(2, padding="same", name="pool")]))


def test_pads_of_the_port_belong_to_the_layer_that_they_precede() -> None:
    model = keras_model()
    result = compared(model, Padded(model, (0, 1, 1, 1)), IMAGES)
    assert result
    assert [row.verdict for row in result.rows] == ["agrees", "agrees"]


def test_wrong_pads_are_in_the_layer_and_named() -> None:
    model = keras_model()
    first = compared(model, Padded(model, (1, 0, 1, 1)), IMAGES).first
    assert (first.kind, first.expected) == ("in", "conv")
    assert "F.pad(x, (0, 1, 1, 1))" in first.fix
    assert "((1, 1), (1, 0))" in first.fix


def test_another_mistake_is_named_beside_right_pads() -> None:
    model = keras_model()
    first = compared(model, Padded(model, (0, 1, 1, 1), order=(3, 2, 1, 0)), IMAGES).first
    assert (first.kind, first.expected) == ("in", "conv")
    assert "permute" in first.fix
    assert "pad" not in first.fix


@pytest.mark.parametrize("pad", ["causal", "valid"])
def test_pads_of_the_expected_model_belong_to_its_layer(pad: str) -> None:
    layers = [L.ZeroPadding1D(2), L.Conv1D(5, 5, name="conv")] if pad == "valid" else [L.Conv1D(5, 3, padding=pad, name="conv")]
    model = filled(keras.Sequential([keras.Input((9, 4)), *layers]))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(4, 5, 5, padding=2) if pad == "valid" else nn.Conv1d(4, 5, 3)
            lay(self.conv.weight, np.array(model.get_layer("conv").kernel).transpose(2, 1, 0))
            lay(self.conv.bias, model.get_layer("conv").bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x.transpose(1, 2)
            return self.conv(x if pad == "valid" else nn.functional.pad(x, (2, 0))).transpose(1, 2)  # type: ignore[no-any-return]

    port = Port()
    assert {row.verdict for row in compared(model, port, SIGNAL).rows if row.actual} == {"agrees"}
    port.conv.weight.data = port.conv.weight.data.flip(2)
    first = compared(model, port, SIGNAL).first
    assert (first.kind, first.expected) == ("in", "conv")
    assert "flipped" in first.fix
