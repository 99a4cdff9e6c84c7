"""Axes in the wrong order before a reshape are named with the right order, also where the rows of the batch are mixed.

Covers: `compare/models/reordering.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from gatewise import copy_weights
from tests.compare.models.ports import compared, filled, lay, lay_dense

L = keras.layers
IMAGES = np.random.default_rng(1).standard_normal((6, 8, 10, 2)).astype("float32")
X = np.random.default_rng(2).standard_normal((6, 7, 4)).astype("float32")
RIGHT = "relu(conv).permute(0, 3, 2, 1).reshape(-1, 8, 18)"


class Columns(nn.Module):
    """Read the columns of a picture as a sequence."""

    def __init__(self, model: Any, columns: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.columns, self.conv, self.fc = columns, nn.Conv2d(2, 3, 3), nn.Linear(18, 4)
        lay(self.conv.weight, np.array(model.get_layer("conv").kernel).transpose(3, 2, 0, 1))
        lay(self.conv.bias, model.get_layer("conv").bias)
        lay_dense(self.fc, model.get_layer("fc"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.columns(torch.relu(self.conv(x.permute(0, 3, 1, 2)))))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        (lambda x: x.permute(0, 3, 2, 1).flatten(2), ""),
        (lambda x: x.permute(0, 3, 1, 2).flatten(2), "relu(conv).permute(0, 3, 1, 2).reshape(-1, 8, 18)"),
        (lambda x: x.reshape(len(x), 8, 18), "relu(conv).reshape(-1, 8, 18)"),
    ],
)
def test_the_order_of_axes_before_a_reshape_is_named(columns: Callable[[torch.Tensor], torch.Tensor], found: str) -> None:
    layers = [L.Conv2D(3, 3, name="conv"), L.ReLU(), L.Permute((2, 1, 3)), L.Reshape((8, 18)), L.Dense(4, name="fc")]
    model = filled(keras.Sequential([keras.Input((8, 10, 2)), *layers]))
    first = compared(model, Columns(model, columns), IMAGES).first
    assert (first.fix if first else "") == (f"pass `{RIGHT}` to fc, not `{found}`" if found else "")


def test_states_that_are_reshaped_before_the_batch_comes_first_are_named() -> None:
    layers = [L.Bidirectional(L.GRU(5), name="gru"), L.Dense(3, name="fc")]
    model = filled(keras.Sequential([keras.Input((7, 4)), *layers]))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.fc = nn.GRU(4, 5, batch_first=True, bidirectional=True), nn.Linear(10, 3)
            copy_weights(model.get_layer("gru"), self.gru)
            lay_dense(self.fc, model.get_layer("fc"))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.gru(x)[1].view(len(x), -1))  # type: ignore[no-any-return]

    assert compared(model, Port(), X).first.fix.endswith("to fc, not `h_n.reshape(-1, 10) of gru`")


def test_a_result_that_is_repeated_for_each_step_is_named() -> None:
    layers = [L.LSTM(5, name="encoder"), L.RepeatVector(7), L.LSTM(5, name="decoder")]
    model = filled(keras.Sequential([keras.Input((7, 4)), *layers]))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.LSTM(4, 5, batch_first=True), nn.LSTM(5, 5, batch_first=True)
            copy_weights(model.get_layer("encoder"), self.encoder)
            copy_weights(model.get_layer("decoder"), self.decoder)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.decoder(self.encoder(x)[1][1][0][:, None].repeat(1, 7, 1))[0][:, -1]  # type: ignore[no-any-return]

    fix = compared(model, Port(), X).first.fix
    assert "`(h_n[0] of encoder)[:, None].expand(-1, 7, -1)`" in fix
    assert "not `(c_n[0] of encoder)[:, None].expand(-1, 7, -1)`" in fix
