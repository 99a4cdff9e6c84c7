"""A port, and everything global, is after a diagnosis as it was before, whatever the port does.

Covers: `compare/groundwork/restoring.py`, `compare/diagnosis/sides/quiet.py`,
`compare/diagnosis/repetition.py`, `compare/diagnosis/sides/contents.py`.
"""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from compare import diagnose
from tests.compare.diagnosis.wrong_calls import BATCH, HIDDEN, LAYERS, TIME, Port, X, filled, lstm


def test_global_random_states_stay() -> None:
    layer, module = lstm(return_sequences=True)
    before = torch.get_rng_state(), str(np.random.get_state()), random.getstate()  # noqa: NPY002
    diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0] + torch.randn(1) + np.random.rand() + random.random()), X)  # noqa: NPY002
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == str(np.random.get_state())  # noqa: NPY002
    assert before[2] == random.getstate()


def test_weights_buffers_attributes_and_modes_stay() -> None:
    layer, module = lstm(return_sequences=True)

    class Changing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = module
            self.count: Any
            self.register_buffer("count", torch.zeros(1))
            self.calls: list[int] = []

        def forward(self, x: torch.Tensor) -> Any:
            self.count += 1
            self.calls.append(1)
            self.last = x
            self.rnn.weight_ih_l0.mul_(1.5)
            self.rnn.requires_grad_(requires_grad=False)
            return self.rnn(x)[0]

    port = Changing()
    kernel = module.weight_ih_l0.detach().clone()
    diagnose(layer, port, X)
    assert torch.equal(module.weight_ih_l0, kernel)
    assert module.weight_ih_l0.requires_grad
    assert (float(port.count), port.calls, hasattr(port, "last"), port.training) == (0, [], False, True)


def test_a_graph_recorded_before_can_still_be_differentiated() -> None:
    layer, module = lstm(return_sequences=True)
    module.weight_hh_l0.data.copy_(module.weight_hh_l0.detach().roll(HIDDEN, 0))
    loss = module(torch.tensor(X))[0].sum()
    assert diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0]), X).verdict == "named"
    loss.backward()
    assert module.weight_hh_l0.grad is not None


def test_an_interrupt_leaves_the_port_as_it_was() -> None:
    layer, module = lstm(return_sequences=True)
    wrong = module.weight_hh_l0.detach().roll(HIDDEN, 0)
    module.weight_hh_l0.data.copy_(wrong)
    calls = count()

    def port(rnn: nn.Module, x: torch.Tensor) -> Any:
        if next(calls) > 3:
            raise KeyboardInterrupt
        return rnn(x)[0].flip(1)

    wrapped = Port(module, port)
    with pytest.raises(KeyboardInterrupt):
        diagnose(layer, wrapped, X)
    assert torch.equal(module.weight_hh_l0, wrong)
    assert wrapped.training


def test_active_dropout_is_named_and_its_mode_stays() -> None:
    layer, module = lstm(return_sequences=True)
    dropout = nn.Dropout(0.5)

    class Dropping(Port):
        def __init__(self) -> None:
            super().__init__(module, lambda rnn, x: dropout(rnn(x)[0]))
            self.dropout = dropout

    port = Dropping()
    assert [each.mistake for each in diagnose(layer, port, X).findings] == ["dropout-active"]
    assert dropout.training
    assert diagnose(layer, port.eval(), X)


def test_a_dropout_function_that_ignores_the_mode_is_named() -> None:
    layer, module = lstm(return_sequences=True)
    port = Port(module, lambda rnn, x: functional.dropout(rnn(x)[0], 0.5)).eval()
    (finding,) = diagnose(layer, port, X).findings
    assert (finding.mistake, finding.error_before, finding.error_after) == ("dropout-active", None, None)


def test_dropout_between_layers_of_a_bare_module_is_named() -> None:
    right = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.3).eval()
    port = nn.LSTM(3, 4, 2, batch_first=True, dropout=0.3)
    port.load_state_dict(right.state_dict())
    assert [each.mistake for each in diagnose(right, port).findings] == ["dropout-active"]
    assert port.training
    assert diagnose(port, right)


def test_a_keras_model_in_training_is_named() -> None:
    layer, _ = lstm(return_sequences=True)
    dropping = filled(LAYERS.LSTM(HIDDEN, return_sequences=True, dropout=0.5))
    dropping.set_weights(layer.get_weights())
    assert [each.mistake for each in diagnose(layer, lambda x: dropping(x, training=True), X).findings] == ["dropout-active"]
    assert dropping.cell.dropout == 0.5
    assert diagnose(layer, lambda x: dropping(x, training=False), X)


class Keeping(nn.Module):
    """A module that goes on from its last call."""

    def __init__(self, rnn: Any) -> None:
        super().__init__()
        self.rnn = rnn
        self.states: Any = None

    def forward(self, x: torch.Tensor) -> Any:
        output, self.states = self.rnn(x, self.states)
        return output


def test_states_that_are_kept_are_named_and_let_go() -> None:
    layer, module = lstm(return_sequences=True)
    port = Keeping(module)
    (finding,) = diagnose(layer, port, X).findings
    assert finding.mistake == "state-kept"
    assert (finding.error_before or 0) > 1e-3
    assert (finding.error_after or 0) < 1e-5
    assert port.states is None


def test_states_that_are_not_kept_are_named() -> None:
    layer = LAYERS.LSTM(HIDDEN, return_sequences=True, stateful=True)
    layer.build((BATCH, TIME, 3))
    plain, module = lstm(return_sequences=True)
    layer.set_weights(plain.get_weights())
    (finding,) = diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0]), X).findings
    assert finding.mistake == "state-not-kept"
    assert diagnose(layer, Keeping(module), X)


def test_a_port_that_draws_random_numbers_is_not_named() -> None:
    layer, module = lstm(return_sequences=True)
    found = diagnose(layer, Port(module, lambda rnn, x: rnn(x)[0] + torch.randn(1)), X)
    assert found.verdict == "not named"
    assert any("two calls with the same data differ" in note for note in found.notes)


def test_two_modules_of_a_closure_are_told_apart_by_their_names() -> None:
    layer = filled(LAYERS.Bidirectional(LAYERS.LSTM(HIDDEN, return_sequences=True)))
    modules = []
    for inner in (layer.forward_layer, layer.backward_layer):
        modules.append(nn.LSTM(3, HIDDEN, batch_first=True))
        kernel, recurrent, bias = (torch.tensor(each) for each in inner.get_weights())
        modules[-1].load_state_dict(
            {"weight_ih_l0": kernel.T, "weight_hh_l0": recurrent.T, "bias_ih_l0": bias, "bias_hh_l0": torch.zeros_like(bias)}
        )
    forward, backward = modules

    def port(x: torch.Tensor) -> torch.Tensor:
        return torch.cat((forward(x)[0], backward(x.flip(1))[0].flip(1)), -1)

    assert diagnose(layer, port, X)
    assert [e.mistake for e in diagnose(layer, lambda x: torch.cat((forward(x)[0], backward(x)[0]), -1), X).findings] == [
        "backward-not-flipped"
    ]


def test_what_is_written_past_autograd_is_undone() -> None:
    layer, module = lstm(return_sequences=True)
    kernel, bias = module.weight_ih_l0.detach().clone(), module.bias_ih_l0.detach().clone()

    def port(x: torch.Tensor) -> Any:
        module.weight_ih_l0.data *= 1.5  # raises no version
        module.bias_ih_l0.data[0] = np.nan
        return module(x)[0]

    diagnose(layer, port, X)
    assert torch.equal(module.weight_ih_l0, kernel)
    assert torch.equal(module.bias_ih_l0, bias)


def test_a_function_may_read_the_sizes_of_the_right_layer() -> None:
    layer, module = lstm(return_sequences=True)
    assert diagnose(layer, lambda x: module(x)[0][..., : layer.units], X)
    module.weight_hh_l0.data.mul_(2)
    (finding,) = diagnose(layer, lambda x: module(x)[0][..., : layer.units], X).findings
    assert (finding.mistake, finding.where) == ("scaled", {"part": "recurrent kernel"})
