"""Inputs by name reach each model as its call takes them: as parameters, or as one mapping.

Covers: `compare/models/arguments.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from tests.compare.models.ports import compared, filled, lay_dense

INPUTS = {name: np.random.default_rng(at).standard_normal((3, 4)).astype("float32") for at, name in enumerate(("one", "two"))}


class Difference(keras.Model):  # type: ignore[misc]  # keras is untyped
    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(2, name="dense")

    def call(self, given: Any) -> Any:
        return self.dense(given["one"] - given["two"])


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 2)

    def forward(self, one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        return self.fc(one - two)  # type: ignore[no-any-return]


class AsMapping(ByName):
    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        return super().forward(**batch)


def test_a_mapping_reaches_a_call_with_one_parameter_as_it_is() -> None:
    model = Difference()
    model(INPUTS)
    filled(model)
    for port in (ByName(), AsMapping()):
        lay_dense(port.fc, model.dense)
        assert compared(model, port, INPUTS)
        assert compared(port, model, INPUTS)
        port.fc.bias.data.add_(1)
        assert not compared(model, port, INPUTS)
