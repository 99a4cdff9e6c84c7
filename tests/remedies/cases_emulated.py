"""Remedies for Keras's layers written in torch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from frameworks.emulation import pytorch as emulated
from frameworks.registry import parts_of
from gatewise import GatewiseError, adapt, assert_parity, check_parity, emulate
from tests.remedies.arrays import LAYERS, X, close, drawn, filled, lstm, tensor
from tests.remedies.following import case, refuses, warns

KerasLSTM: Any = emulated.KerasLSTM


def halved(x: Any) -> Any:
    """Return an activation of one's own."""
    return torch.tanh(x) / 2


@case
def an_activation_of_ones_own() -> None:
    def in_keras(x: Any) -> Any:
        return keras.ops.tanh(x) / 2

    layer = lstm(activation=in_keras, return_sequences=True)
    text = (
        "Write it with torch and pass that function, as in frameworks.emulation.pytorch.KerasLSTM(4, activation=...). Its "
        "weights are the state_dict of gatewise.emulate of the layer with a built-in activation."
    )
    with refuses(f"{text} Compare the results with those of the Keras layer, with numpy.testing.assert_allclose."):
        adapt(layer)
    with refuses(text):
        emulate(layer)
    plain = LAYERS.LSTM.from_config({**layer.get_config(), "activation": "tanh"})
    plain(X)
    plain.set_weights(layer.get_weights())
    module = KerasLSTM(4, activation=halved, return_sequences=True)
    module.load_state_dict(emulate(plain).state_dict())
    np.testing.assert_allclose(module(tensor()).detach(), layer(X), atol=1e-5)
    with refuses(
        "The reference cannot compute your own function: compare the results of the two layers with *assert_allclose."
    ):
        check_parity(module, plain)
    with refuses("Write it as a function of a torch tensor and pass that."):
        KerasLSTM(4, activation="halved")
    KerasLSTM(4, activation=halved)(tensor())


@case
def arguments_of_a_layer() -> None:
    with refuses("Leave it out."):
        KerasLSTM(4, reset_after=True)
    with refuses("Add a regulariser's penalty to the loss, and apply a constraint after each optimizer step."):
        KerasLSTM(4, kernel_regularizer="l2")
    with refuses("Pass a size."):
        KerasLSTM(0)
    with refuses('Pass "float32", for example.'):
        KerasLSTM(4, dtype="int8")
    with refuses("Pass a function of torch.nn.init, in a lambda if it needs arguments."):
        KerasLSTM(4, kernel_initializer="unknown")
    layer = KerasLSTM(4, dtype="float32", kernel_initializer=lambda weight: nn.init.uniform_(weight, 2, 3))
    layer(tensor())
    assert bool(((layer.weight_ih_l0 >= 2) & (layer.weight_ih_l0 <= 3)).all())
    assert_parity(lstm(), emulate(lstm()))


@case
def a_penalty_in_the_training_loop() -> None:
    layer = lstm(kernel_regularizer=keras.regularizers.L2(0.1), kernel_constraint=keras.constraints.NonNeg())
    with warns("* of LSTMCell * is not carried over: * Add a regulariser's penalty to the loss, *"):
        module = emulate(layer)
    penalty = 0.1 * (module.weight_ih_l0**2).sum()
    close(penalty, sum(layer.losses))
    with torch.no_grad():
        module.weight_ih_l0.clamp_(min=0)
    close(module.weight_ih_l0.T, layer.cell.kernel.constraint(layer.cell.kernel))


@case
def calls_of_a_layer() -> None:
    layer, module = lstm(return_state=True), emulate(lstm(return_state=True))
    expected = layer(X)
    with refuses("Convert them with torch.as_tensor."):
        module(X)
    close(module(torch.as_tensor(X)), expected)
    with refuses("Keras's layers have the batch first and the features last."):
        module(tensor(X.transpose(2, 0, 1)))
    with refuses("Leave empty sequences out, as in Keras."):
        module(tensor(X[:, :0]))
    with refuses("An LSTM takes [h, c]; a GRU or simple RNN takes h alone."):
        emulated.KerasLSTMCell(4)(tensor(X[:, 0]), torch.zeros(2, 4))
    with refuses("Nest it as the layer returns its states."):
        module(tensor(), initial_state=torch.zeros(2, 4))
    with refuses("Pass every state, or zeros for a new sequence."):
        module(tensor(), initial_state=[torch.zeros(2, 4), None])
    with refuses("Keras's states have no axis for layers and directions: pass one row of torch's h_n."):
        module(tensor(), initial_state=[torch.zeros(1, 2, 4)] * 2)
    _, states = nn.LSTM(3, 4, batch_first=True)(tensor())
    close(
        module(tensor(), initial_state=[state[0] for state in states]),
        layer(X, initial_state=[state[0].detach().numpy() for state in states]),
    )
    close(module(tensor(), initial_state=[torch.zeros(2, 4), torch.zeros(2, 4)]), expected)


@case
def masks_of_a_layer() -> None:
    ids = np.array([[5, 3, 2, 0, 0], [1, 4, 2, 6, 0]])
    layer, module = lstm(), emulate(lstm())
    with refuses("Convert it with torch.as_tensor."):
        module(tensor(), mask=ids != 0)
    with refuses("Pass one value for each row and time step."):
        module(tensor(), mask=torch.as_tensor(ids[:, :3] != 0))
    with refuses("Compare with the padding value, as in `ids != 0`."):
        module(tensor(), mask=torch.as_tensor(ids))
    close(module(tensor(), mask=torch.as_tensor(ids) != 0), layer(X, mask=ids != 0))


@case
def states_that_are_kept() -> None:
    module = KerasLSTM(4, stateful=True)
    module(tensor())
    with refuses("Pass as many rows as in the first call, or make a layer for the other batch size."):
        module(tensor(drawn(3, 5, 3)))
    module(tensor())
    other = KerasLSTM(4, stateful=True)
    other.load_state_dict(module.state_dict())
    other(tensor(drawn(3, 5, 3)))
    fresh = KerasLSTM(4, stateful=True).eval()
    fresh.build(3)
    with refuses("Call it once on a batch of the size to export, then call reset_state()."):
        try:
            torch.export.export(fresh, (tensor(),))
        except Exception as error:  # noqa: BLE001  of torch.export, from another error
            causes: list[Any] = [error, error.__cause__, error.__context__]
            raise next((each for each in causes if isinstance(each, GatewiseError)), error) from None
    fresh(tensor())
    fresh.reset_state()
    torch.export.export(fresh, (tensor(),))


@case
def layers_of_several_cells() -> None:
    cells = [emulated.KerasLSTMCell(4), emulated.KerasLSTMCell(4)]
    with refuses("Make a new cell for each layer."):
        emulated.KerasRNN([cells[0], cells[0]])
    with refuses("A custom cell is not emulated: write its step in torch, and run it over the time steps in a loop."):
        emulated.KerasRNN(nn.LSTMCell(3, 4))  # type: ignore[arg-type]
    with refuses("Leave input_size out, and give all cells the same dtype."):
        emulated.KerasRNN([cells[0], emulated.KerasLSTMCell(4, input_size=7)])
    with refuses("Give the backward_layer the other value."):
        emulated.KerasBidirectional(KerasLSTM(4), backward_layer=KerasLSTM(4))
    with refuses("Make them equal."):
        emulated.KerasBidirectional(KerasLSTM(4), backward_layer=KerasLSTM(4, go_backwards=True, stateful=True))
    with refuses("Wrap recurrent layers only."):
        emulated.KerasBidirectional(nn.LSTM(3, 4))  # type: ignore[arg-type]
    both = emulated.KerasBidirectional(KerasLSTM(4), backward_layer=KerasLSTM(4, go_backwards=True))
    assert both(tensor()).shape == (2, 8)
    assert emulated.KerasRNN(cells)(tensor()).shape == (2, 4)
    with refuses("Pass the recurrent layers."):
        emulated.KerasSequential([])
    with refuses("Call the layers one by one."):
        emulated.KerasSequential([KerasLSTM(4, return_sequences=True, return_state=True), KerasLSTM(4)])
    first, second = KerasLSTM(4, return_sequences=True, return_state=True), KerasLSTM(4)
    assert second(first(tensor())[0]).shape == (2, 4)


@case
def parts_of_a_layer() -> None:
    unlike = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.GRUCell(5)]))
    acting = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.LSTMCell(4, activation="relu")]))
    stacked = filled(LAYERS.Bidirectional(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.LSTMCell(4)])))
    text = "No single spec describes such a layer: pass its parts one at a time, as frameworks.registry.parts_of returns them."
    for layer in (unlike, acting, stacked):
        module = emulate(layer)
        with refuses(text):
            adapt(module)
        (*_, part), *_ = parts_of(module)
        (*_, own), *_ = parts_of(layer)
        assert adapt(part).spec == adapt(own).spec
    assert_parity(unlike, emulate(unlike))


@case
def weights_of_a_layer() -> None:
    with refuses("Call it once, or .build(input_size)."):
        adapt(KerasLSTM(4))
    with refuses("Call it once, or build(input_size)."):
        KerasLSTM(4).state_dict()
    layer = KerasLSTM(4)
    layer.build(3)
    assert adapt(layer).spec.input_size == 3
    assert set(layer.state_dict()) == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    half = KerasLSTM(4, dtype="float16")
    half.build(3)
    with refuses("Half and mixed precision are not compared: make it with dtype='float32' and load the same state_dict."):
        adapt(half)
    single = KerasLSTM(4, dtype="float32")
    single.load_state_dict(half.state_dict())
    assert_parity(single, single)
    with refuses("Pass a recurrent layer."):
        adapt(emulated.KerasMasking())
    with refuses("Pass its recurrent layers one at a time:\ngatewise.adapt(net[0])\n*"):
        adapt(emulated.KerasSequential([layer, emulated.KerasMasking()]))
    normed = weight_norm(KerasLSTM(4, input_size=3), "weight_hh_l0")
    with refuses("Wrap the layer first and parametrise the wrapper, or make it plain with *remove_parametrizations."):
        emulated.KerasBidirectional(normed)
    wrapped = weight_norm(emulated.KerasBidirectional(KerasLSTM(4, input_size=3)), "weight_hh_l0")
    nn.utils.parametrize.remove_parametrizations(normed, "weight_hh_l0")
    for each in (wrapped, emulated.KerasBidirectional(normed)):
        assert each(tensor()).shape == (2, 8)


@case
def an_onnx_node() -> None:
    with refuses("Make it with return_sequences=True and return_state=True."):
        emulated.OnnxRecurrent(KerasLSTM(4))
    module = emulated.OnnxRecurrent(KerasLSTM(4, return_sequences=True, return_state=True), batch_first=True)
    output, states = module(tensor())
    with refuses("Pass the states as the layer returns them."):
        module(tensor(), states[0])
    with refuses("Its axes are those of torch: the batch is always second."):
        module(tensor(), (torch.zeros(2, 4), torch.zeros(2, 4)))
    assert module(tensor(), states)[0].shape == output.shape


@case
def a_layer_of_mixed_weights() -> None:
    half = lstm(dtype="float32")
    half.cell.kernel  # noqa: B018  built
    policy = keras.DTypePolicy("float32")
    policy._variable_dtype, policy._compute_dtype = "float64", "float32"
    odd = LAYERS.LSTM(4, dtype=policy)
    odd(X)
    with refuses("Cast it as a whole."):
        emulate(odd)
    single = lstm()
    single.set_weights([weight.astype("float32") for weight in odd.get_weights()])
    close(emulate(single)(tensor()), odd(X))
