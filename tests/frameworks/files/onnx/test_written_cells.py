"""A cell that a graph writes out is read if its operators are those of torch's cell, and refused by name otherwise.

Covers: `frameworks/files/onnx/written_cells.py`, `frameworks/files/onnx/model.py`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import linear

from frameworks.files import open_checkpoint

Tensor = torch.Tensor
Step = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
CELLS: dict[str, Callable[[], nn.Module]] = {
    "lstm": lambda: nn.LSTMCell(3, 4),
    "gru": lambda: nn.GRUCell(3, 4),
    "rnn": lambda: nn.RNNCell(3, 4),
    "relu": lambda: nn.RNNCell(3, 4, nonlinearity="relu"),
}


def lstm(order: str = "ifgo", forget: float = 0.0) -> Step:
    """Return the step of an LSTM with its gates in an order, and a constant added to the forget gate."""

    def step(from_input: Tensor, from_state: Tensor, _: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        gates = dict(zip(order, torch.split(from_input + from_state, 4, 1), strict=True))
        c = torch.sigmoid(gates["f"] + forget if forget else gates["f"]) * c + torch.sigmoid(gates["i"]) * torch.tanh(
            gates["g"]
        )
        return torch.sigmoid(gates["o"]) * torch.tanh(c), c

    return step


def gru(*, inverted: bool, before: bool) -> Step:
    """Return the step of a GRU, perhaps with its update gate inverted, or the reset gate applied to all of the candidate."""

    def step(from_input: Tensor, from_state: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        (r, z, n), (hr, hz, hn) = torch.split(from_input, 4, 1), torch.split(from_state, 4, 1)
        r, z = torch.sigmoid(r + hr), torch.sigmoid(z + hz)
        n = torch.tanh(r * (n + hn)) if before else torch.tanh(n + r * hn)
        return ((1 - z) * h + z * n if inverted else (1 - z) * n + z * h), c

    return step


class Own(nn.Module):
    """A custom cell whose arrays have torch's names and shapes."""

    def __init__(self, step: Step, gates: int) -> None:
        super().__init__()
        self.step = step
        self.weight_ih, self.weight_hh = nn.Parameter(torch.randn(gates * 4, 3)), nn.Parameter(torch.randn(gates * 4, 4))
        self.bias_ih, self.bias_hh = nn.Parameter(torch.randn(gates * 4)), nn.Parameter(torch.randn(gates * 4))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        return self.step(linear(x, self.weight_ih, self.bias_ih), linear(h, self.weight_hh, self.bias_hh), h, c)


class Model(nn.Module):
    """A model that calls a cell for two time steps, and an LSTM after it."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell, self.after = cell, nn.LSTM(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], 4)
        outputs = []
        for step in x.unbind(1):
            if isinstance(self.cell, (nn.LSTMCell, Own)):
                h, c = self.cell(step, (h, c))
            else:
                h = self.cell(step, h)
            outputs.append(h)
        result: Tensor = self.after(torch.stack(outputs))[0]
        return result


def exported(cell: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Model(cell).eval(), (torch.randn(2, 2, 3),), str(path), dynamo=False, opset_version=17)
    return path


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_of_torch_is_read_without_a_doubt(name: str, tmp_path: Path) -> None:
    module = CELLS[name]()
    layer = open_checkpoint(exported(module, tmp_path / "a.onnx"))["cell"]
    assert layer.class_name == type(module).__name__
    assert not layer.warnings
    assert layer.spec.activation == getattr(module, "nonlinearity", "tanh")
    weight: Any = module.weight_hh
    np.testing.assert_array_equal(layer.cells[0][0].arrays["weight_hh"].read(), weight.detach().numpy())


OWN: dict[str, tuple[Step, int, bool]] = {
    "the same as torch's LSTM": (lstm(), 4, True),
    "the same as torch's GRU": (gru(inverted=False, before=False), 3, True),
    "one added to the forget gate": (lstm(forget=1.0), 4, False),
    "gates in another order": (lstm("igfo"), 4, False),
    "input and forget gate exchanged": (lstm("figo"), 4, False),
    "an inverted update gate": (gru(inverted=True, before=False), 3, False),
    "the reset gate before the sum": (gru(inverted=False, before=True), 3, False),
}


@pytest.mark.parametrize("name", OWN)
def test_a_custom_cell_is_read_if_it_computes_the_same_and_refused_otherwise(name: str, tmp_path: Path) -> None:
    step, gates, same = OWN[name]
    path = exported(Own(step, gates), tmp_path / "a.onnx")
    checkpoint = open_checkpoint(path)
    assert ("cell" in checkpoint) is same
    if not same:
        kind = "lstm" if gates == 4 else "gru"
        assert f"--option cell.cell={kind}" in checkpoint.others["cell"].warnings[0]
        assert set(checkpoint.others["cell"].arrays) == {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}
        assert "cell" in open_checkpoint(path, options={"cell": {"cell": kind}})
