"""Remedies of parity, of the map of return values and of training side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from compare.training import TrainingCheckpoint, train_together
from gatewise import (
    KerasOptions,
    RecurrentSpec,
    ReturnsMap,
    assert_parity,
    check_parity,
    compare_training,
    convert,
    copy_weights,
    emulate,
    freeze_second_bias,
    returns_map,
)
from tests.remedies.arrays import LAYERS, X, close, drawn, filled, lstm, tensor, uncompiled
from tests.remedies.following import case, refuses


@case
def the_call_of_a_comparison() -> None:
    layer, rnn = lstm(), convert(lstm())
    ids = np.array([[1, 2, 3, 0, 0], [4, 5, 6, 7, 0]])
    with refuses('Pass the arguments by name, such as {"mask": mask}.'):
        check_parity(layer, rnn, X, keras_call=ids != 0)
    with refuses("Leave the rest out."):
        check_parity(layer, rnn, X, keras_call={"masks": ids != 0})
    with refuses("Leave one of the two out."):
        check_parity(layer, rnn, X, mask=ids != 0, keras_call={"mask": ids != 0})
    assert check_parity(layer, rnn, X, keras_call={"mask": ids != 0})
    states = [drawn(2, 4), drawn(2, 4, seed=3)]
    with refuses("Pass one array for each state of the layer."):
        check_parity(layer, rnn, X, keras_call={"initial_state": [drawn(2, 4), drawn(2, 5)]})
    assert check_parity(layer, rnn, X, keras_call={"initial_state": states})
    stack = [lstm(return_sequences=True), filled(LAYERS.LSTM(4), drawn(2, 5, 4))]
    with refuses("Pass initial_state itself, as (layer * direction, batch, hidden)."):
        check_parity(stack, convert(stack), X, keras_call={"initial_state": states})
    assert check_parity(stack, convert(stack), X, initial_state=(drawn(2, 2, 4), drawn(2, 2, 4, seed=2)))
    for wrong in (0, float("nan")):
        with refuses("Leave it out for the dtype's default."):
            check_parity(layer, rnn, tolerance=wrong)
    assert check_parity(layer, rnn).tolerance == 1e-5
    with refuses("Layers of different shapes or dtypes cannot be the same: compare a layer with its own port."):
        check_parity(layer, nn.LSTM(3, 5))
    backwards, plain = lstm(go_backwards=True), nn.LSTM(3, 4, batch_first=True)
    copy_weights(backwards, plain)
    with refuses("Compare the layer with gatewise.emulate of it, which takes any mask, or the two without a mask."):
        check_parity(backwards, plain, X, mask=ids != 0)
    assert_parity(backwards, emulate(backwards), X, mask=ids != 0)
    assert_parity(backwards, plain, X)


@case
def layers_of_several_parts() -> None:
    layer = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.GRUCell(5)]))
    longer = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.GRUCell(5), LAYERS.GRUCell(5)]))
    with refuses("Compare it with its port, such as gatewise.emulate returns."):
        check_parity(layer, longer)
    other = LAYERS.RNN(layer.cell.cells, return_state=True)
    other(X)
    with refuses("Use the same flags."):
        check_parity(layer, other)
    assert_parity(other, emulate(other))


@case
def results_of_a_map() -> None:
    layer = lstm(return_sequences=True, return_state=True)
    rnn, mapping = convert(layer), returns_map(layer)
    result = rnn(tensor())
    for wrong in (rnn(nn.utils.rnn.pack_padded_sequence(tensor(), torch.tensor([5, 3]), batch_first=True))[0], [1.0]):
        with refuses("Pass the results of rnn(x); unpack a PackedSequence with pad_packed_sequence(batch_first=True)."):
            mapping.to_keras(wrong, *result[1:])
    packed, states = rnn(nn.utils.rnn.pack_padded_sequence(tensor(), torch.tensor([5, 3]), batch_first=True))
    mapping.to_keras(nn.utils.rnn.pad_packed_sequence(packed, batch_first=True)[0], states)
    with refuses("Pass the results of rnn(x): to_keras(*rnn(x))."):
        mapping.to_keras(result[0], result[1][0])
    with refuses("Pass the results of one call."):
        mapping.to_keras(result[0].double(), result[1])
    with refuses("Pass the results of the layer with batch_first=True."):
        mapping.to_keras(result[0].swapaxes(0, 1)[:, :1], result[1])
    close(mapping.to_keras(*rnn(tensor())), layer(X))
    returned = layer(X)
    with refuses("Pass the results of the layer for NumPy arrays or tensors."):
        mapping.to_torch(["output", *returned[1:]])
    with refuses("Pass what a layer with the flags of this map returns."):
        mapping.to_torch(returned[0])
    with refuses("Pass the results of the layer with these flags."):
        mapping.to_torch([returned[0][:, -1], *returned[1:]])
    close(mapping.to_torch(returned).output, result[0])


@case
def layers_without_a_map() -> None:
    with refuses("Write returns_map(layer), or returns_map(spec, KerasOptions())."):
        returns_map(RecurrentSpec("lstm", 3, 4))
    assert returns_map(RecurrentSpec("lstm", 3, 4), KerasOptions()).items
    stack = RecurrentSpec("lstm", 3, 4, num_layers=2)
    with refuses('Set both, or use nesting="layers" for layers that are called one after the other.'):
        ReturnsMap(stack, KerasOptions(nesting="model"))
    assert ReturnsMap(stack, KerasOptions(nesting="model", return_sequences=True, return_state=True)).items
    assert ReturnsMap(stack, KerasOptions(nesting="layers")).items
    with refuses("Map each layer separately, or use RNN with a list of cells, which is reversed as a whole."):
        ReturnsMap(stack, KerasOptions(nesting="layers", go_backwards=True))
    layer = filled(LAYERS.RNN([LAYERS.LSTMCell(4), LAYERS.LSTMCell(4)], go_backwards=True))
    rnn, mapping = nn.LSTM(3, 4, 2, batch_first=True), returns_map(layer)
    copy_weights(layer, rnn)
    close(mapping.to_keras(*eval(mapping.call, {"rnn": rnn, "x": tensor()})), layer(X))


def models() -> tuple[Any, Any]:
    """Return a Keras model and a torch module of the same weights."""
    model = filled(keras.Sequential([keras.Input(X.shape[1:]), LAYERS.LSTM(4), LAYERS.Dense(2)]))

    class Port(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.out(self.rnn(x)[0][:, -1])

    port = Port()
    copy_weights(model.layers[0], port.rnn)
    freeze_second_bias(port)
    kernel, bias = map(tensor, model.layers[1].get_weights())
    port.out.load_state_dict({"weight": kernel.T, "bias": bias})
    return model, port


def batch_of(step: int) -> tuple[Any, Any]:
    """Return a batch."""
    return drawn(4, 5, 3, seed=step), drawn(4, 2, seed=100 + step)


@case
def what_training_compares() -> None:
    def train(model: Any, port: Any, optimizer: Any = None, loss: Any = "mse", **options: Any) -> Any:
        rule = optimizer or keras.optimizers.SGD(0.1)
        with uncompiled():
            return compare_training(model, port, batch_of, 2, optimizer=rule, loss=loss, **options)

    model, port = models()
    unbuilt = keras.Sequential([LAYERS.LSTM(4), LAYERS.Dense(2)])
    with refuses("Call it once on data."):
        train(unbuilt, port)
    filled(unbuilt).set_weights(model.get_weights())
    for each in (unbuilt, model):
        port_of_each = models()[1]
        assert train(each, port_of_each).loss_gap("pytorch").max() < 1e-5
    model, port = models()
    with refuses('Make it with dtype="float32".'):
        train(model, port, loss=keras.losses.MeanSquaredError(dtype="float64"))
    with refuses("Make it with another reduction."):
        train(model, port, loss=keras.losses.MeanSquaredError(reduction="none"))
    with refuses("Pass the object, such as model.optimizer."):
        train(model, port, "sgd")
    loss = keras.losses.MeanSquaredError(dtype="float32", reduction="sum")
    assert train(model, port, loss=loss).loss_gap("pytorch").max() < 1e-4
    port.further = nn.Linear(2, 2)
    with refuses("Pass pairs=[(keras_layer, torch_module), ...]."):
        train(model, port)
    pairs = [(model.layers[0], port.rnn), (model.layers[1], port.out)]
    with refuses("Pair each of them; if Keras does not train one, freeze it with requires_grad_(False)."):
        train(model, port, pairs=pairs)
    port.further.requires_grad_(False)
    assert train(model, port, pairs=pairs).loss_gap("pytorch").max() < 1e-4


class Descent:
    """A side that trains one number."""

    def __init__(self, rate: float, weight: Any = (1.0,)) -> None:
        self.weight, self.rate = np.array(weight), rate

    def step(self, batch: Any) -> float:
        loss = float((self.weight**2).sum())
        self.weight = self.weight * (1 - 2 * self.rate)
        return loss

    def parameters(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def state(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def restore(self, state: Any) -> None:
        self.weight = state["weight"]


def train(steps: int = 2, every: int = 1, rate: float = 0.1, weight: Any = (1.0,), **options: Any) -> Any:
    """Train two sides together."""
    return train_together({"one": Descent(rate, weight), "two": Descent(0.1)}, lambda step: None, steps, every=every, **options)


@case
def training_together(folder: Path) -> None:
    with refuses("Pass the number of steps, and the number of steps between two measurements."):
        train(every=0)
    with refuses("Build both sides with the same sizes, and give their parameters the same names."):
        train(weight=(1.0, 2.0))
    with (
        refuses("Train with a smaller learning rate or clipped gradients. All losses so far are in *."),
        np.errstate(over="ignore"),
    ):
        train(steps=40, rate=1e12)
    assert np.isfinite(train(steps=40).losses["one"]).all()
    path = folder / "run.npz"
    with refuses("Add the ending."):
        TrainingCheckpoint(folder / "run")
    with refuses("Pass TrainingCheckpoint(path, settings={})."):
        train(checkpoint=path)
    train(steps=4, checkpoint=TrainingCheckpoint(path, settings={}))
    with refuses("Ask for at least as many, or delete it to start anew."):
        train(checkpoint=TrainingCheckpoint(path, settings={}))
    assert train(steps=6, checkpoint=TrainingCheckpoint(path, settings={})).steps == 6
    with refuses("Delete it to start anew, or train with its settings."):
        train(steps=6, checkpoint=TrainingCheckpoint(path, settings={"seed": 1}))
    assert train(steps=6, checkpoint=TrainingCheckpoint(path, settings={})).steps == 6
    path.write_bytes(b"damaged")
    with refuses("Delete it: the training then resumes from run.before.npz."):
        train(steps=6, checkpoint=TrainingCheckpoint(path, settings={}))
    path.unlink()
    assert train(steps=6, checkpoint=TrainingCheckpoint(path, settings={})).steps == 6


@case
def training_a_model_of_keras_2() -> None:
    import tf_keras

    def model(library: Any) -> Any:
        return library.Sequential([library.layers.Input(X.shape[1:]), library.layers.LSTM(2)])

    def train(each: Any, port: Any) -> Any:
        rule = keras.optimizers.SGD(0.1)
        return compare_training(each, port, lambda _: (X, drawn(2, 2)), 2, optimizer=rule, loss="mse")

    old, new = model(tf_keras), model(keras)
    with refuses("Build the same model with `keras`, and copy its weights: model.set_weights(old.get_weights())."):
        train(old, nn.LSTM(3, 2))
    new.set_weights(old.get_weights())
    close(new(X), old(X))
    assert train(new, emulate(new.layers[0])).loss_gap("pytorch").max() < 1e-6
