"""The records say of each cell what its classes in both frameworks have.

Covers: `frameworks/cells.py`.
"""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from frameworks.cells import CELLS, OPTIONS

UNITS = 3


@pytest.mark.parametrize("name", CELLS)
def test_torch_s_modules_are_as_the_record_says(name: str) -> None:
    cell = CELLS[name]
    layer, bare = getattr(nn, cell.names["pytorch"]), getattr(nn, f"{cell.names['pytorch']}Cell")
    module = layer(2, UNITS)
    assert module.weight_ih_l0.shape == bare(2, UNITS).weight_ih.shape == (len(cell.gates) * UNITS, 2)
    _, states = module(torch.zeros(1, 1, 2))
    assert (1 if isinstance(states, torch.Tensor) else len(states)) == len(cell.states)
    assert ("nonlinearity" in module.__constants__ or hasattr(module, "nonlinearity")) is cell.takes_nonlinearity
    if cell.takes_nonlinearity:
        for activation in cell.torch_activations:
            layer(2, UNITS, nonlinearity=activation)
        with pytest.raises(ValueError, match="nonlinearity"):
            layer(2, UNITS, nonlinearity="sigmoid")
    if cell.projects:
        assert layer(2, UNITS, proj_size=1).weight_hr_l0.shape == (1, UNITS)
    else:
        with pytest.raises(ValueError, match="proj_size"):
            layer(2, UNITS, proj_size=1)


@pytest.mark.parametrize("name", CELLS)
def test_keras_s_layers_are_as_the_record_says(name: str) -> None:
    import keras

    cell = CELLS[name]
    layer = getattr(keras.layers, cell.names["keras"])(UNITS)
    layer.build((None, None, 2))
    bare = getattr(keras.layers, f"{cell.names['keras']}Cell")
    assert isinstance(layer.cell, bare)
    assert layer.cell.kernel.shape == (2, len(cell.gates) * UNITS)
    assert len(layer.cell.get_initial_state(batch_size=1)) == len(cell.states)
    assert tuple(option for option in OPTIONS if option in inspect.signature(bare).parameters) == cell.options
    assert (len(layer.cell.bias.shape) == 2) is cell.biases_act_apart
    assert ("unit_forget_bias" in inspect.signature(bare).parameters) is ("forget" in cell.gates)
