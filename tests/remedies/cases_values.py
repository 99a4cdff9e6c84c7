"""Remedies for specs, options, weights, calls through an adapter, initial weights and biases."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from frameworks.adapter import random_call
from frameworks.gradients import check_cotangents
from frameworks.transpose import copy_arrays
from gatewise import (
    DirectionWeights,
    KerasOptions,
    RecurrentSpec,
    RecurrentWeights,
    adapt,
    assert_parity,
    build,
    convert,
    emulate,
    freeze_second_bias,
    half_rate_for_biases,
    initialise_like_keras,
    initialise_like_pytorch,
    returns_map,
)
from tests.remedies.arrays import LAYERS, X, close, drawn, filled, lstm, tensor
from tests.remedies.following import case, refuses

Spec: Any = RecurrentSpec
Options: Any = KerasOptions


@case
def a_spec() -> None:
    with refuses("Pass a whole number from 1."):
        Spec("lstm", 3, 2.5)
    with refuses("Pass a whole number from 1."):
        Spec("lstm", 3, 0)
    with refuses("Pass a bool."):
        Spec("lstm", 3, 4, bias=1)
    with refuses("Half precision is not compared: cast the layer to float32."):
        Spec("lstm", 3, 4, dtype="float16")
    with refuses("Leave it out."):
        Spec("rnn", 3, 4, recurrent_activation="relu")
    for name in ("activation", "recurrent_activation"):
        with refuses("*"):
            Spec("lstm", 3, 4, **{name: "tanhh"})
    with refuses("Make one: RecurrentSpec('lstm', 3, 8)."):
        build("pytorch", "lstm")  # type: ignore[arg-type]
    with refuses("Pass a whole number."):
        build("pytorch", Spec("lstm", 3, 8), seed=0.5)  # type: ignore[arg-type]
    with refuses("Choose one of them."):
        build("tensorflow", Spec("lstm", 3, 8))  # type: ignore[arg-type]
    assert eval("build('torch', RecurrentSpec('lstm', 3, 8), seed=0)", {"build": build, "RecurrentSpec": Spec}).spec.bias


@case
def the_options_of_a_call() -> None:
    with refuses("Keras calls the average 'ave'."):
        Options(merge_mode="average")
    with refuses("Choose one of them."):
        Options(nesting="list")
    with refuses("Pass a bool."):
        Options(stateful=1)
    with refuses("Pass a rate."):
        Options(dropout=2)
    assert Options(merge_mode="ave", nesting="cells", stateful=True, dropout=0.5).merge_mode == "ave"


@case
def what_is_no_layer() -> None:
    wrong: Any
    for wrong in (keras.layers.LSTM, "lstm", [], None):
        with refuses("Pass the layer object itself, such as keras.layers.LSTM(...) once it is built, or torch.nn.LSTM(...)."):
            adapt(wrong)
    with refuses("Only Keras has return flags to map."):
        returns_map(nn.LSTM(3, 4))
    assert returns_map(convert(nn.LSTM(3, 4), to="keras")).items
    assert adapt(lstm()).spec == adapt(nn.LSTM(3, 4)).spec


@case
def a_call_through_an_adapter() -> None:
    side: Any = adapt(lstm())
    text = "Pass one batch with its batch and time axes, features last."
    expected = side.forward(X)
    with refuses(text):
        side.forward(X[0])
    close(side.forward(X[:1]).output, expected.output[:1])
    with refuses("Leave empty batches out."):
        side.forward(X[:0])
    with refuses("Cast with .astype('float32')."):
        side.forward(X.astype("float64"))
    close(side.forward(X.astype("float64").astype("float32")).output, expected.output)
    masked = np.ma.masked_array(X, mask=np.broadcast_to((np.arange(5) > 2)[:, None], X.shape))
    with refuses("Convert it with numpy.asarray, and pass the steps to leave out as `mask`."):
        side.forward(masked)
    steps = ~masked.mask.all(-1)
    close(side.forward(np.asarray(masked), mask=steps).h_n[0], lstm()(X, mask=steps))
    with refuses("Compare with the padding value, as in `ids != 0`."):
        side.forward(X, mask=np.ones((2, 5)))
    with refuses("Pass one bool per time step."):
        side.forward(X, mask=np.ones((2, 4), bool))
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]])
    close(side.forward(X, mask=ids != 0).h_n[0], lstm()(X, mask=ids != 0))
    with refuses("An LSTM takes (h_0, c_0); a GRU or simple RNN takes h_0 alone."):
        side.forward(X, drawn(1, 2, 4))
    with refuses("Stack the states of all layers and directions along a first axis."):
        side.forward(X, (drawn(2, 4), drawn(2, 4)))
    close(side.forward(X, (drawn(2, 4)[None], drawn(2, 4)[None])).h_n[0], lstm()(X, initial_state=[drawn(2, 4)] * 2))
    port: Any = adapt(convert(lstm()))
    left = (np.arange(5) > 1)[None].repeat(2, 0)
    with refuses("Packing allows nothing else: move the valid steps to the front, and leave empty rows out."):
        port.forward(X, mask=left)
    moved = np.concatenate([X[:, 2:], X[:, :2]], 1)
    close(port.forward(moved, mask=left[:, ::-1].copy()).h_n[0], lstm()(X, mask=left))


@case
def a_cell_over_time() -> None:
    cell = LAYERS.LSTMCell(4)
    cell.build((None, 3))
    with refuses("Wrap it as keras.layers.RNN(cell), or in torch as KerasRNN(cell)."):
        adapt(cell).call(X)  # type: ignore[attr-defined]
    layer = LAYERS.RNN(cell)
    layer(X)
    close(adapt(layer).call(X), layer(X))  # type: ignore[attr-defined]
    from frameworks.emulation.pytorch import KerasRNN

    close(KerasRNN(emulate(cell))(tensor()), layer(X))
    with refuses("Wrap it as keras.layers.RNN(cell)."):
        returns_map(cell)
    assert returns_map(keras.layers.RNN(cell)).items


@case
def a_call_in_training() -> None:
    with refuses("Compare it in inference, or set its rates to 0."):
        raise random_call("LSTM")


@case
def canonical_weights() -> None:
    side, other = adapt(lstm()), adapt(filled(LAYERS.GRU(4)))
    weights = side.get_weights()
    ((one,),) = weights.layers

    def changed(**parts: Any) -> Any:
        return RecurrentWeights(((dataclasses.replace(one, **parts),),))

    for text, wrong in {
        "Get them from get_weights() or build one from DirectionWeights.": [one],
        "Nest them as layers[layer][direction].": RecurrentWeights({0: (one,)}),  # type: ignore[arg-type]
        "Check that these are the weights of this layer.": RecurrentWeights(((one,), (one,))),
        "Build the layer with the same bias flag.": changed(bias=None),
        "Convert it with numpy.asarray.": changed(kernel=one.kernel.tolist()),
        "Check the sizes.": changed(kernel=one.kernel[:, :2]),
        "Cast it with .astype('float32') if that is what you want.": changed(kernel=one.kernel.astype("float64")),
        "Only biases may be missing.": changed(kernel=None),
    }.items():
        with refuses(text):
            side.set_weights(wrong)
    with refuses("Nest them as layers[layer][direction]."):
        side.set_weights(RecurrentWeights(((one.kernel,),)))  # type: ignore[arg-type]
    with refuses("Are these the gates of cell='gru'?"):
        side.set_weights(other.get_weights())
    before = filled(LAYERS.GRU(4, reset_after=False))
    with refuses("A GRU with reset_after=True has two biases; the one bias of a GRU with reset_after=False does not fit it."):
        other.set_weights(adapt(before).get_weights())
    with refuses("Layers without a bias and GRUs with reset_after=False have no recurrent bias."):
        adapt(before).set_weights(other.get_weights())
    read = DirectionWeights(**{each.name: getattr(one, each.name) for each in dataclasses.fields(one)})
    for right in (side.get_weights(), RecurrentWeights(((read,),)), changed(kernel=np.asarray(one.kernel.tolist(), "float32"))):
        fresh = adapt(lstm())
        fresh.set_weights(right)
        assert_parity(side, fresh)


@case
def arrays_of_a_copy() -> None:
    target = np.zeros((2, 3), "float32")
    with refuses("Cast or slice it first."):
        copy_arrays([(target, np.ones((3, 3)))])


@case
def cotangents() -> None:
    side: Any = adapt(lstm())
    output = side.forward(X)
    with refuses("Pass one number for each number that the layer returns."):
        check_cotangents(side.spec, X, dataclasses.replace(output, output=output.output[:, :2]))
    check_cotangents(side.spec, X, output)


@case
def initial_weights() -> None:
    with refuses("Pass the module itself; for Keras's layers there is initialise_like_pytorch."):
        initialise_like_keras(lstm())
    with refuses("Pass the layer itself; for torch's modules there is initialise_like_keras."):
        initialise_like_pytorch(nn.LSTM(3, 4))
    with refuses("Pass one, such as 0."):
        initialise_like_keras(nn.LSTM(3, 4), seed=-1)
    assert float(initialise_like_keras(nn.LSTM(3, 4), seed=0).bias_ih_l0.detach().sum()) == 4
    assert initialise_like_pytorch(lstm(), seed=0).weights
    with refuses("Call the layer or model once on data, or .build((None, None, input_size)) first."):
        initialise_like_pytorch(LAYERS.LSTM(4))
    layer = LAYERS.LSTM(4)
    layer.build((None, None, 3))
    bound = max(float(abs(weight).max()) for weight in initialise_like_pytorch(layer, seed=0).get_weights()[:2])
    assert 0 < bound <= 0.5
    odd = filled(LAYERS.PReLU(), X)
    with refuses("Initialise the layers one by one, and this one by hand."):
        initialise_like_pytorch(filled(keras.Sequential([LAYERS.Dense(3), odd])))
    whole = nn.Sequential(nn.LSTM(3, 4), nn.PReLU())
    with refuses("Initialise the layers one by one, and this one by hand; initialise a module before it is parametrised (*."):
        initialise_like_keras(whole)
    initialise_like_keras(whole[0], seed=0)
    nn.utils.parametrizations.weight_norm(whole[0], "weight_hh_l0")
    lazy: Any = nn.LazyLinear(2)
    with refuses("Call the module once on data; an emulated Keras layer also has build(input_size)."):
        initialise_like_keras(lazy)
    lazy(tensor())
    initialise_like_keras(lazy)
    with torch.device("meta"):
        meta = nn.Linear(3, 2)
    with refuses("Load it on a real device with to_empty."):
        initialise_like_keras(meta)
    initialise_like_keras(meta.to_empty(device="cpu"))
    expanded = nn.Linear(3, 2)
    expanded.bias = nn.Parameter(torch.zeros(1).expand(2))
    with refuses("Assign a .clone() of it."):
        initialise_like_keras(expanded)
    expanded.bias = nn.Parameter(expanded.bias.data.clone())
    initialise_like_keras(expanded)
    with torch.inference_mode():
        inferring = nn.Linear(3, 2)
    with refuses("Make the module outside of inference_mode."):
        initialise_like_keras(inferring)


@case
def the_second_bias() -> None:
    for call in (freeze_second_bias, lambda module: half_rate_for_biases(module, 0.1)):
        with refuses("Keras's own layers need no remedy: they train one bias."):
            call(lstm())
    assert len([weight for weight in lstm().trainable_variables if "bias" in weight.name]) == 1
    rnn = nn.LSTM(3, 4)
    with refuses("Pass one, such as 0.001."):
        half_rate_for_biases(rnn, 0)
    assert [group["lr"] for group in half_rate_for_biases(rnn, 0.001)] == [0.001, 0.0005]
    normed = nn.utils.parametrizations.weight_norm(nn.LSTM(3, 4), "bias_hh_l0")
    with refuses("Make them plain first, with torch.nn.utils.parametrize.remove_parametrizations."):
        freeze_second_bias(normed)
    nn.utils.parametrize.remove_parametrizations(normed, "bias_hh_l0")
    freeze_second_bias(normed)
    assert not normed.bias_hh_l0.requires_grad
    net: Any = nn.ModuleList([nn.LSTM(3, 4), nn.LSTM(3, 4)])
    net[1].bias_ih_l0 = net[0].bias_ih_l0
    with refuses("Give each layer its own biases, or share both of a pair."):
        freeze_second_bias(net)
    net[1].bias_hh_l0 = net[0].bias_hh_l0
    freeze_second_bias(net)
