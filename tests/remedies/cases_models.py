"""Remedies of the comparison of whole models."""

from __future__ import annotations

import keras
import numpy as np
from torch import nn

from gatewise import compare_models
from tests.remedies.arrays import LAYERS, filled, tensor
from tests.remedies.following import case, refuses

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")


def models() -> tuple[keras.Model, nn.Module]:
    model = keras.Sequential([keras.Input((4,), name="rows"), LAYERS.Dense(3, name="dense")])
    filled(model.layers[0], X)
    port = nn.Sequential(nn.Linear(4, 3))
    kernel, bias = (np.array(each) for each in model.layers[0].get_weights())
    port[0].weight.data.copy_(tensor(kernel.T))  # type: ignore[operator]  # torch's types know no item of a Sequential
    port[0].bias.data.copy_(tensor(bias))  # type: ignore[operator]  # torch's types know no item of a Sequential
    return model, port


@case
def two_models() -> None:
    model, port = models()
    for wrong in (nn.Linear, 3):
        with refuses("Pass the model itself, with its weights."):
            compare_models(model, wrong, X)
    unbuilt = keras.Sequential([LAYERS.Dense(3)])
    with refuses("Call it once on its inputs and load its weights before you compare it."):
        compare_models(unbuilt, port, X)
    unbuilt(X)
    unbuilt.set_weights(model.get_weights())
    assert compare_models(unbuilt, port, X)


@case
def the_inputs_of_two_models() -> None:
    model, port = models()
    with refuses("Pass an array, a tuple of arrays, or a mapping by name; on the command line, --inputs FILE.npz."):
        compare_models(port, port)
    for given in (X, (X,), {"input": X}):
        assert compare_models(port, port, given)
    with refuses("Use rows (the expected model) or input (the actual one), or pass a tuple."):
        compare_models(model, port, {"x": X})
    for given in ({"rows": X}, {"input": X}, (X,)):
        assert compare_models(model, port, given)
    with refuses("Pass a NumPy array, or a tuple of arrays."):
        compare_models(model, port, np.array(["a"]))
    with refuses("Leave empty batches out."):
        compare_models(model, port, X[:0])
    with refuses("Compare the models on numbers: nothing equals not-a-number."):
        compare_models(model, port, X * np.nan)
    otherwise = (
        "Pass inputs (--inputs FILE.npz) as its own call takes them, in their dtype; in Python, actual_inputs where the port "
        "takes them otherwise."
    )
    with refuses(otherwise):
        compare_models(model, port, X.astype("float64"))
    assert compare_models(model, port, X)
    with refuses(otherwise):
        compare_models(model, port.double(), X)
    assert compare_models(model, port, X, actual_inputs=X.astype("float64"))


@case
def pairs_of_two_models() -> None:
    model, port = models()
    with refuses('Pass a dict, such as {"lstm": "encoder.rnn"}.'):
        compare_models(model, port, X, pairs=[("dense", "0")])  # type: ignore[arg-type]  # the mistake
    with refuses("Choose one of dense."):
        compare_models(model, port, X, pairs={"lstm": "0"})
    with refuses("Choose one of 0."):
        compare_models(model, port, X, pairs={"dense": "1"})
    assert compare_models(model, port, X, pairs={"dense": "0"})
