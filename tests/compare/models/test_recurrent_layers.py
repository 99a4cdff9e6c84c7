"""What is wrong with recurrent layers, also hand-written ones, is named with code whose names are explained.

Covers: `compare/models/recurrent_layers.py`.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from tests.compare.models.ports import compared, filled, lay, lay_dense

L = keras.layers
X = np.random.default_rng(8).standard_normal((4, 7, 5)).astype("float32")


class HandWritten(nn.Module):
    """A Keras GRU that resets before the product, written as a loop; its mistakes are options."""

    def __init__(self, layer: Any, mistake: str) -> None:
        super().__init__()
        self.mistake = mistake
        self.kernel, self.recurrent, self.bias = (nn.Parameter(torch.from_numpy(each)) for each in layer.get_weights())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, steps = x.new_zeros(len(x), len(self.recurrent)), []
        uz, ur, uc = self.recurrent.chunk(3, -1)
        for step in x.unbind(1):
            z, r, c = (step @ self.kernel + self.bias).chunk(3, -1)
            z, r = torch.sigmoid(z + h @ uz), torch.sigmoid(r + h @ ur)
            c = torch.tanh(c + (r * (h @ uc) if self.mistake == "reset-after" else (r * h) @ uc))
            h = (1 - z) * h + z * c if self.mistake == "update-gate-inverted" else z * h + (1 - z) * c
            steps.append(h)
        return torch.stack(steps, 1)


@pytest.mark.parametrize("mistake", ["", "reset-after", "update-gate-inverted"])
def test_a_mistake_of_a_hand_written_layer_is_named(mistake: str) -> None:
    gru = L.GRU(6, reset_after=False, return_sequences=True, name="gru")
    model = filled(keras.Sequential([keras.Input((7, 5)), gru, L.Dense(2, name="out")]))
    port = nn.Sequential(HandWritten(gru, mistake), nn.Linear(6, 2))
    lay_dense(port[1], model.get_layer("out"))
    first = compared(model, port, X).first
    named = [] if first is None else [each.mistake for each in first.diagnosis.findings]
    assert named == ([mistake] if mistake else [])


def test_a_mistake_of_a_cell_in_a_loop_is_named() -> None:
    rng = np.random.default_rng(0)
    cell, port = L.GRUCell(6, name="cell"), nn.GRUCell(5, 6)
    cell.build((None, 5))
    cell.set_weights([rng.normal(0, 0.4, each.shape) for each in cell.weights])
    for own, array in zip((port.weight_ih, port.weight_hh), cell.get_weights(), strict=False):
        lay(own, array.T)
    biases = cell.get_weights()[2]
    lay(port.bias_ih, biases[0])
    lay(port.bias_hh, biases[1])

    class Loop(keras.Model):  # type: ignore[misc]  # keras is untyped
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def call(self, x: Any) -> Any:
            h = keras.ops.zeros((4, 6))
            for at in range(7):
                h, _ = self.cell(x[:, at], [h])
            return h

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru = port

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = x.new_zeros(4, 6)
            for step in x.unbind(1):
                h = self.gru(step, h)
            return h

    model = Loop()
    model(X)
    first = compared(model, Port(), X).first
    assert (first.kind, [each.mistake for each in first.diagnosis.findings]) == ("in", ["gates-permuted"])


def test_a_mistake_before_a_layer_and_one_in_it_are_both_said(pair: Any) -> None:
    model, port = pair("translator", "exchanged")
    port.decoder.bias_hh_l0.data.copy_(port.decoder.bias_ih_l0.data)
    found = compared(model, port)
    assert (found.first.kind, found.first.actual) == ("between", "decoder")
    assert [(each.kind, each.actual) for each in found.also] == [("in", "decoder")]


def test_a_note_names_the_mistake_and_what_its_code_refers_to(pair: Any) -> None:
    model, port = pair("translator", "exchanged")
    port.encoder.bias_hh_l0.data.copy_(port.encoder.bias_ih_l0.data)
    port.decoder.bias_hh_l0.data.copy_(port.decoder.bias_ih_l0.data)
    notes = [note for note in compared(model, port).notes if note.startswith("also in decoder")]
    assert len(notes) == 1
    assert "bias-doubled: " in notes[0]
    assert "# here layer is the expected decoder, rnn is the actual decoder" in notes[0]


def test_a_stack_of_unlike_layers_is_not_taken_for_one_of_like_ones() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.LSTM(5, 6, num_layers=2, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.rnn(x)[0]  # type: ignore[no-any-return]  # a module returns Any

    right = Net()
    gates = ("sigmoid", "hard_sigmoid")
    layers = [L.LSTM(6, return_sequences=True, recurrent_activation=each, name=f"lstm_{each}") for each in gates]
    port = keras.Sequential([keras.Input((7, 5)), *layers])
    arrays = {name: each.detach().numpy() for name, each in right.rnn.named_parameters()}
    for at, layer in enumerate(layers):
        bias = arrays[f"bias_ih_l{at}"] + arrays[f"bias_hh_l{at}"]
        layer.set_weights([arrays[f"weight_ih_l{at}"].T, arrays[f"weight_hh_l{at}"].T, bias])
    first = compared(right, port, X).first
    assert (first.kind, first.expected) == ("in", "rnn")
    assert first.fix == "recurrent_activation of lstm_hard_sigmoid must be sigmoid, but is hard_sigmoid"


def test_layers_of_another_size_and_never_copied_ones_are_said() -> None:
    model = filled(keras.Sequential([keras.Input((7, 5)), L.GRU(5, name="gru"), L.Dense(2, name="out")]))

    class Port(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.gru, self.fc = nn.GRU(5, size, batch_first=True), nn.Linear(size, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.fc(self.gru(x)[1][0])  # type: ignore[no-any-return]  # a module returns Any

    assert compared(model, Port(7), X).first.fix == "Build the port with the sizes of the right layer."
    notes = [note for note in compared(model, Port(5), X).notes if "weight of fc" in note]
    assert len(notes) == 1
    assert "is another array" in notes[0]
