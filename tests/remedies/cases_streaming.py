"""Remedies of `one_step`, and of recording emulated layers."""

from __future__ import annotations

from typing import Any

import keras
import torch
from torch import nn

from frameworks.emulation import pytorch as emulated
from gatewise import convert, emulate, one_step
from tests.remedies.arrays import LAYERS, X, array, close, deprecated, drawn, filled, lstm, tensor
from tests.remedies.following import case, refuses

WHOLE = "Call the module on whole sequences, or on windows of them."


def stepped(module: Any, x: Any = X) -> Any:
    """Return the output of the last of all steps."""
    states: Any = []
    step, y = one_step(module), None
    for x_t in tensor(x).unbind(1):
        y, *states = step(x_t, *states)
    return y


@case
def what_has_no_step() -> None:
    layer = lstm()
    with refuses("Pass gatewise.emulate(module) or gatewise.convert(module)."):
        one_step(layer)
    for port in (emulate(layer), convert(layer)):
        close(stepped(port), layer(X))
    net: Any = nn.Module()
    net.rnn, net.out = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)
    with refuses("Pass the recurrent module itself, such as model.rnn, and call the other layers on its y."):
        one_step(net)
    close(net.out(stepped(net.rnn)), net.out(net.rnn(tensor())[0][:, -1]))

    class Reverse(nn.LSTM):
        def forward(self, x: Any) -> Any:  # type: ignore[override]
            return super().forward(x.flip(1))

    own = Reverse(3, 4, batch_first=True)
    with refuses("Pass a plain nn.LSTM."):
        one_step(own)
    plain = nn.LSTM(3, 4, batch_first=True)
    plain.load_state_dict(own.state_dict())
    close(stepped(plain, X[:, ::-1]), own(tensor())[0][:, -1])


@case
def later_steps_are_needed() -> None:
    for layer in (filled(LAYERS.Bidirectional(LAYERS.LSTM(4))), lstm(go_backwards=True)):
        module = emulate(layer)
        with refuses(WHOLE):
            one_step(module)
        close(module(tensor()), layer(X))
        close(module(tensor(X[:, 1:4])), layer(X[:, 1:4]))
    with refuses(WHOLE):
        one_step(nn.GRU(3, 4, bidirectional=True))


@case
def a_layer_over_time_between_others() -> None:
    parts = [LAYERS.LSTM(4, return_sequences=True), LAYERS.LSTM(5)]
    filled(keras.Sequential(parts))
    first, second = map(emulate, parts)
    with refuses("Take one_step of each recurrent layer, and call the layers between them on its y."):
        one_step(emulated.KerasSequential([first, nn.Softmax(-1), second]))
    states: Any = [[], []]
    steps, y = [one_step(first), one_step(second)], None
    for x_t in tensor().unbind(1):
        y, *states[0] = steps[0](x_t, *states[0])
        y, *states[1] = steps[1](y.softmax(-1), *states[1])
    close(y, second(first(tensor()).softmax(-1)))


@case
def time_distributed() -> None:
    x = drawn(2, 3, 5, 3)
    layer = filled(LAYERS.TimeDistributed(LAYERS.LSTM(4)), x)
    module = emulate(layer)
    for each in (module, emulated.KerasSequential([module, emulated.KerasLSTM(2, input_size=4)])):
        with refuses("Call its .layer on each outer step; one_step of that layer computes the steps within it."):
            one_step(each)
    for outer in range(3):
        close(module.layer(tensor(x[:, outer])), layer(x)[:, outer])
        close(stepped(module.layer, x[:, outer]), layer(x)[:, outer])


@case
def states_of_a_step() -> None:
    layer = lstm()
    step = one_step(emulate(layer))
    x = tensor()
    text = "Pass them as the previous step returned them: `y, *states = step(x, *states)`."
    y, *states = step(x[:, 0])
    with refuses(text):
        step(x[:, 1], states[0])
    with refuses("Pass the states as the previous step returned them, or initial_states(batch)."):
        step(x[:, 1], *(state[:, :2] for state in states))
    close(step(x[:, 0], *step.initial_states(2))[0], y)
    for x_t in x[:, 1:].unbind(1):
        y, *states = step(x_t, *states)
    close(y, layer(X))


@case
def dropout_in_a_step() -> None:
    module = emulate(lstm(dropout=0.5)).train()
    with refuses("Call eval() on it, or train on whole sequences."):
        one_step(module)(tensor()[:, 0])
    assert module(tensor()).shape == (2, 4)
    close(stepped(module.eval()), lstm()(X))


@case
def recordings() -> None:
    layer = lstm()
    module = emulate(layer).eval()
    longer = drawn(3, 7, 3)
    stateful = emulated.KerasLSTM(4, stateful=True, input_size=3).eval()
    stateful.load_state_dict(module.state_dict())
    with deprecated():
        with refuses("Trace it: it then works for any batch size and number of time steps."):
            torch.jit.script(module)
        traced = torch.jit.trace(module, (tensor(),))  # type: ignore[no-untyped-call]
        with refuses("Set stateful=False and return_state=True on it and pass the states on, or use gatewise.one_step."):
            torch.jit.trace(stateful, (tensor(),))  # type: ignore[no-untyped-call]
    close(traced(tensor(longer)), layer(longer))
    stateful.stateful, stateful.return_state = False, True
    zeros = [torch.zeros(2, 4), torch.zeros(2, 4)]
    _, *states = stateful(tensor(), initial_state=zeros)
    expected, *_ = lstm(return_state=True)(X, initial_state=[array(state) for state in states])
    close(stateful(tensor(), initial_state=states)[0], expected)
    close(stepped(stateful), layer(X))
