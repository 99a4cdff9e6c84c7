"""The line that mends an array is run, and the port is right afterwards.

Covers: `compare/diagnosis/weights/copying_lines.py`, `compare/diagnosis/sides/lent_biases.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

import gatewise
from compare import Diagnosis, Finding, diagnose
from frameworks import adapt, copy_weights

KERAS = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
TORCH = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
PARTS = {"kernel": "kernel", "recurrent kernel": "recurrent_kernel", "bias": "bias"}


def keras_layer(cell: str, *, two: bool, seed: int = 0, **options: Any) -> Any:
    layer = KERAS[cell](4, return_sequences=True, **options)
    layer = keras.layers.Bidirectional(layer) if two else layer
    layer.build((None, None, 3))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, array.shape) for array in layer.get_weights()])
    return layer


def torch_module(cell: str, *, two: bool, seed: int = 0, **options: Any) -> Any:
    torch.manual_seed(seed)
    return TORCH[cell](3, 4, batch_first=True, bidirectional=two, **options)


def run(finding: Finding, **names: Any) -> None:
    """Run the code of a fix."""
    exec(finding.fix, {"torch": torch, "np": np, "gatewise": gatewise, **names})  # noqa: S102  the promise is that it runs


def only(diagnosis: Diagnosis) -> Finding:
    (finding,) = diagnosis.findings
    return finding


CASES = [
    ("lstm", "kernel", False),
    ("lstm", "bias", True),
    ("gru", "kernel", True),
    ("gru", "recurrent kernel", False),
    ("gru", "bias", True),
    ("rnn", "recurrent kernel", True),
]
ids = pytest.mark.parametrize(("cell", "part", "two"), CASES)


def agree(one: Any, other: Any) -> bool:
    """Whether two layers have the same weights, biases by their sum."""
    pairs = zip(adapt(one).get_weights(), adapt(other).get_weights(), strict=True)
    return all(
        np.allclose(first.kernel, second.kernel)
        and np.allclose(first.recurrent_kernel, second.recurrent_kernel)
        and np.allclose(np.asarray(first.summed_bias()), np.asarray(second.summed_bias()), atol=1e-6)
        for (*_, first), (*_, second) in pairs
    )


@ids
def test_the_fix_of_a_torch_port_mends_it(cell: str, part: str, two: bool) -> None:  # noqa: FBT001
    layer, rnn = keras_layer(cell, two=two), torch_module(cell, two=two)
    copy_weights(layer, rnn)
    suffix = "_l0_reverse" if two else "_l0"
    for name in {"kernel": ("weight_ih",), "recurrent kernel": ("weight_hh",), "bias": ("bias_ih", "bias_hh")}[part]:
        getattr(rnn, name + suffix).data.mul_(0.0 if part == "bias" else 3.0)
    finding = only(diagnose(layer, rnn))
    assert finding.where == {"part": part} | ({"direction": 1} if two else {})
    assert not agree(layer, rnn)
    run(finding, layer=layer, rnn=rnn)
    assert agree(layer, rnn)


@ids
def test_the_fix_of_a_keras_port_mends_it(cell: str, part: str, two: bool) -> None:  # noqa: FBT001
    rnn, layer = torch_module(cell, two=two), keras_layer(cell, two=two)
    copy_weights(rnn, layer)
    variable = getattr((layer.backward_layer if two else layer).cell, PARTS[part])
    variable.assign(variable * (0 if part == "bias" else 3))
    assert not agree(rnn, layer)
    run(only(diagnose(rnn, layer)), layer=layer, rnn=rnn)
    assert agree(rnn, layer)


def test_the_fix_within_one_framework_mends_the_port() -> None:
    right, port = torch_module("gru", two=True), torch_module("gru", two=True)
    port.load_state_dict(right.state_dict())
    port.weight_hh_l0_reverse.data.mul_(2)
    run(only(diagnose(right, port)), right=right, port=port)
    assert agree(right, port)
    layers = [keras_layer("lstm", two=False, seed=seed) for seed in (0, 1)]
    layers[1].set_weights([2 * array if array.shape == (3, 16) else array for array in layers[0].get_weights()])
    run(only(diagnose(*layers)), right=layers[0], port=layers[1])
    assert agree(*layers)


def test_the_fix_of_several_parts_copies_all_weights() -> None:
    layer, rnn = keras_layer("gru", two=False), torch_module("gru", two=False)
    kernel, recurrent, bias = map(torch.tensor, layer.get_weights())
    rnn.load_state_dict({"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent.T, "bias_ih_l0": bias[0], "bias_hh_l0": bias[1]})
    finding = only(diagnose(layer, rnn))
    assert finding.mistake == "gates-permuted"
    run(finding, layer=layer, rnn=rnn)
    assert agree(layer, rnn)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_port_that_was_built_without_a_bias_is_named_and_left_as_it_was(cell: str) -> None:
    layer, rnn = keras_layer(cell, two=True), torch_module(cell, two=True, bias=False)
    copy_weights(layer, complete := torch_module(cell, two=True))
    rnn.load_state_dict({name: array for name, array in complete.state_dict().items() if "bias" not in name})
    before = {name: array.clone() for name, array in rnn.state_dict().items()}
    finding = only(diagnose(layer, rnn))
    assert (finding.mistake, finding.found) == ("bias-dropped", "no bias")
    assert finding.error_after is not None
    assert finding.error_after < 1e-5
    assert "bias=True" in finding.fix
    assert all(torch.equal(array, rnn.state_dict()[name]) for name, array in before.items())
    assert before.keys() == rnn.state_dict().keys()
    assert rnn(torch.zeros(2, 5, 3))[0].shape == (2, 5, 8)


def test_a_keras_port_that_was_built_without_a_bias_is_named_and_left_as_it_was() -> None:
    rnn, layer = torch_module("lstm", two=False), keras_layer("lstm", two=False, use_bias=False)
    layer.set_weights([rnn.weight_ih_l0.numpy(force=True).T, rnn.weight_hh_l0.numpy(force=True).T])
    finding = only(diagnose(rnn, layer))
    assert (finding.mistake, finding.fix) == ("bias-dropped", "Build the port with use_bias=True, then copy the bias.")
    assert len(layer.get_weights()) == 2
    assert not layer.cell.use_bias


@pytest.mark.parametrize("part", ["recurrent kernel", "bias"])
def test_the_fix_names_the_arrays_of_a_cell(part: str) -> None:
    layer = keras_layer("lstm", two=False)
    cell, other = nn.LSTMCell(3, 4), nn.LSTMCell(3, 4)
    copy_weights(layer, cell)
    (cell.bias_ih if part == "bias" else cell.weight_hh).data.mul_(0.0 if part == "bias" else 3.0)
    other.load_state_dict(cell.state_dict())
    run(only(diagnose(layer, cell)), layer=layer, rnn=cell)
    assert agree(layer, cell)
    run(only(diagnose(cell, other)), right=cell, port=other)  # of one framework, whose right side is a cell too
    assert agree(cell, other)


def test_the_fix_of_a_port_of_several_modules_names_the_one_that_is_wrong() -> None:
    layers = [keras_layer("lstm", two=False), KERAS["lstm"](4, return_sequences=True)]
    layers[1].build((None, None, 4))
    rnns: Any = nn.ModuleList([nn.LSTM(3, 4, batch_first=True), nn.LSTM(4, 4, batch_first=True)])
    for layer, module in zip(layers, rnns, strict=True):
        copy_weights(layer, module)
    rnns[1].weight_hh_l0.data.mul_(3.0)
    finding = only(diagnose(layers, nn.Sequential(rnns[0], _First(), rnns[1], _First())))
    assert finding.where == {"layer": 1, "part": "recurrent kernel"}
    run(finding, layers=layers, rnns=rnns)
    assert agree(layers[1], rnns[1])


class _First(nn.Module):
    """The output of a recurrent module."""

    def forward(self, returned: Any) -> Any:
        return returned[0]
