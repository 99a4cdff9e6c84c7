"""Recording leaves models as they are, and pairs find the layers that belong together.

Covers: `compare/models/recording/recording.py`, `compare/models/recording/keras_calls.py`,
`compare/models/recording/torch_calls.py`, `compare/models/recording/call_sites.py`, `compare/models/rounding.py`,
`compare/models/pairing/pairing.py`, `compare/models/pairing/fingerprints.py`, `compare/models/pairing/absorbing.py`,
`compare/models/pairing/turns.py`.
"""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from frameworks import GatewiseError
from gatewise import convert, copy_weights
from tests.compare.models.ports import L, compared, filled, lay_dense

X = np.random.default_rng(7).standard_normal((5, 9, 4)).astype("float32")


class Fails(nn.Module):
    """Raise an error after the first layer was called."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.linear, self.drop, self.error = nn.Linear(4, 3), nn.Dropout(), error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.drop(self.linear(x))
        raise self.error


def hooks_of(model: nn.Module) -> int:
    return sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_hooks_and_modes_are_put_back_after_an_error(error: BaseException) -> None:
    model = filled(keras.Sequential([keras.Input((9, 4)), L.Dense(3)]))
    port = Fails(error).train()
    port.linear.eval()
    call = keras.layers.Layer.__call__
    for models in ((model, port), (port, model)):
        with pytest.raises((GatewiseError, KeyboardInterrupt)):
            compared(*models, X)
    assert hooks_of(port) == 0
    assert [each.training for each in (port, port.linear, port.drop)] == [True, False, True]
    assert keras.layers.Layer.__call__ is call


def test_models_stay_as_they_are(randomise: Any) -> None:
    gru = randomise(nn.GRU(4, 3, batch_first=True))
    layer = convert(gru, "keras")
    model = keras.Sequential([keras.Input((9, 4)), layer.layers[-1] if hasattr(layer, "layers") else layer])
    seen: list[str] = []
    port = nn.Sequential(gru, nn.Identity()).train()
    handle = port[0].register_forward_hook(lambda *_: seen.append("profiled"))
    before = [each.clone() for each in port.parameters()]
    variables = [np.array(each) for each in model.variables]
    state = torch.get_rng_state()
    gru.weight_hh_l0.data[0] = 0  # wrong, so that it is diagnosed, and one rounding is tried
    before[1] = gru.weight_hh_l0.clone()
    compared(model, port, X)
    assert seen
    assert hooks_of(port) == 1
    handle.remove()
    assert all(torch.equal(*each) for each in zip(before, port.parameters(), strict=True))
    assert all(np.array_equal(one, np.array(two)) for one, two in zip(variables, model.variables, strict=True))
    assert torch.equal(state, torch.get_rng_state())
    assert port.training


class Remembers(nn.Module):
    """A port that keeps its state in an attribute, and draws from every global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True)
        self.state: torch.Tensor | None = None
        self.calls: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append(len(x))
        x = x + 0.0 * (random.random() + np.random.random() + torch.rand(()).item())  # noqa: NPY002  as users do
        output, self.state = self.gru(x, self.state)
        return output  # type: ignore[no-any-return]  # a module returns Any


def test_attributes_of_a_module_and_global_random_states_stay() -> None:
    one, two = Remembers(), Remembers()
    two.load_state_dict(one.state_dict())
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    assert compared(one, two, np.ones((2, 5, 3), "float32"))
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]  # noqa: NPY002
    assert before[:2] == after[:2]
    assert before[2].equal(after[2])
    assert (one.state, one.calls, two.state, two.calls) == (None, [], None, [])


def test_a_stateful_layer_keeps_its_state() -> None:
    model = filled(keras.Sequential([keras.Input(batch_shape=(5, 9, 4)), L.LSTM(3, stateful=True), L.Dense(2)]))
    lstm, dense = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)
    model(X)
    model.layers[0].reset_state()
    copy_weights(model.layers[0], lstm)
    lay_dense(dense, model.layers[1])

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.dense = lstm, dense

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.dense(self.lstm(x)[0][:, -1])  # type: ignore[no-any-return]  # a module returns Any

    assert compared(model, Port(), X)
    assert not any(np.array(state).any() for state in model.layers[0].states)


class Two(nn.Module):
    """The directions of a bidirectional layer in two modules."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.there, self.back = nn.GRU(4, 3, batch_first=True), nn.GRU(4, 3, batch_first=True)
        copy_weights(layer.forward_layer, self.there)
        copy_weights(layer.backward_layer.cell, nn.GRUCell(4, 3))
        from gatewise import adapt

        weights = adapt(layer).get_weights()
        adapt(self.back).set_weights(type(weights)(((weights.layers[0][1],),)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((self.there(x)[0], self.back(x.flip(1))[0].flip(1)), -1)


def test_two_modules_are_the_directions_of_one_layer() -> None:
    model = filled(keras.Sequential([keras.Input((9, 4)), L.Bidirectional(L.GRU(3, return_sequences=True), name="both")]))
    port = Two(model.layers[0])
    for models in ((model, port), (port, model)):
        found = compared(*models, X)
        assert found
        assert [{row.expected, row.actual} for row in found.rows] == [{"both", "there + back"}]
        assert found.rows[0].alone_error is not None
    with torch.no_grad():
        port.back.weight_hh_l0.zero_()  # type: ignore[operator]  # torch's types know no item of a Sequential
    assert compared(model, port, X).first.actual == "there + back"


def test_a_stack_in_one_module_is_paired_from_both_sides() -> None:
    layers = [L.GRU(3, return_sequences=True, name=name) for name in ("one", "two")]
    model = filled(keras.Sequential([keras.Input((9, 4)), *layers]))
    gru = nn.GRU(4, 3, 2, batch_first=True)
    copy_weights(layers, gru)

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = gru

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.gru(x)[0]  # type: ignore[no-any-return]  # a module returns Any

    for models in ((model, Port()), (Port(), model)):
        found = compared(*models, X)
        assert found
        assert [{row.expected, row.actual} for row in found.rows] == [{"one + two", "gru"}]


class Shuffled(nn.Module):
    """Layers of one size whose names and places mislead."""

    def __init__(self, model: Any, *, exchanged: bool = False) -> None:
        super().__init__()
        self.c, self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        for own, layer in zip((self.c, self.b, self.a), model.layers, strict=True):
            lay_dense(own, layer)
            with torch.no_grad():
                own.weight.copy_(own.weight.T.clone())  # the mistake that is sought does not hide the pair
        self.exchanged = exchanged

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.a(self.b(self.c(x)))  # type: ignore[no-any-return]  # a module returns Any


def test_layers_are_paired_by_their_numbers_despite_the_mistake() -> None:
    model = filled(keras.Sequential([keras.Input((9, 4)), *(L.Dense(4, name=name) for name in "abc")]))
    port = Shuffled(model)
    found = compared(model, port, X)
    assert [(row.expected, row.actual) for row in found.rows] == [("a", "c"), ("b", "b"), ("c", "a")]
    assert {row.verdict for row in found.rows} == {"wrong here"}
    given = compared(model, port, X, pairs={"a": "a", "c": "c"})
    assert {(row.expected, row.actual) for row in given.rows} == {("a", "a"), ("b", "b"), ("c", "c")}


class Loop(nn.Module):
    """A hand-written loop over time."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 3)
        copy_weights(layer.cell, self.cell)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = x.new_zeros(len(x), 3)
        for step in x.unbind(1):
            h = self.cell(step, h)
        return h


def test_a_loop_over_a_cell_is_one_layer() -> None:
    model = filled(keras.Sequential([keras.Input((9, 4)), L.GRU(3, name="gru")]))
    port = Loop(model.layers[0])
    found = compared(model, port, X)
    assert found
    assert [(row.expected, row.actual, row.verdict) for row in found.rows] == [("gru", "cell", "agrees")]
    with torch.no_grad():
        port.cell.weight_hh.zero_()
    assert (compared(model, port, X).first.kind, compared(model, port, X).first.actual) == ("in", "cell")


class Attends(nn.Module):
    """Attention with torch's own module, from Keras's weights."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        query, key, value, out = (np.array(layer.get_weights()[at]).reshape(8, 8).T for at in (0, 2, 4, 6))
        biases = [np.array(layer.get_weights()[at]).reshape(-1) for at in (1, 3, 5, 7)]
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(torch.from_numpy(np.concatenate((query, key, value))))
            self.attention.in_proj_bias.copy_(torch.from_numpy(np.concatenate(biases[:3])))
            self.attention.out_proj.weight.copy_(torch.from_numpy(out))
            self.attention.out_proj.bias.copy_(torch.from_numpy(biases[3]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x)[0]  # type: ignore[no-any-return]  # a module returns Any


def test_attention_of_several_heads_is_one_layer() -> None:
    inputs = keras.Input((9, 8))
    layer = L.MultiHeadAttention(2, 4, name="attend")
    model = filled(keras.Model(inputs, layer(inputs, inputs)))
    x = np.random.default_rng(1).standard_normal((3, 9, 8)).astype("float32")
    port = Attends(layer).eval()
    found = compared(model, port, x)
    assert found
    assert [(row.expected, row.actual, row.verdict) for row in found.rows] == [("attend", "attention", "agrees")]
    with torch.no_grad():
        port.attention.in_proj_bias.zero_()
    assert compared(model, port, x).first.actual == "attention"


def test_what_is_never_called_is_noted() -> None:
    model = filled(keras.Sequential([keras.Input((9, 4)), L.Dense(3)]))
    port = nn.Sequential(nn.Linear(4, 3))
    lay_dense(port[0], model.layers[0])
    port[0].register_module("spare", nn.Linear(2, 2))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.spare = port[0], nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(x)  # type: ignore[no-any-return]  # a module returns Any

    del port[0]._modules["spare"]
    assert "never called: spare of the actual model" in compared(model, Port(), X).notes
