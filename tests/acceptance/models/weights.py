"""Weights as large as trained ones, drawn into a Keras model, and copied into torch modules by hand, as a porter does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import torch
from torch import nn

CELLS: dict[str, tuple[Any, Any]] = {
    "lstm": (keras.layers.LSTM, nn.LSTM),
    "gru": (keras.layers.GRU, nn.GRU),
    "rnn": (keras.layers.SimpleRNN, nn.RNN),
}
"""The layers of either framework by their cell."""
_ORDERS = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "RNN_TANH": (0,)}


def draw_weights(model: Any, rng: np.random.Generator) -> None:
    """Draw every weight of a Keras model."""
    gain = rng.uniform(1.0, 2.0)
    for variable in model.weights:
        if variable.name != "seed_generator_state":
            variable.assign(_drawn(variable.name, tuple(variable.shape), gain, rng))


def _drawn(name: str, shape: tuple[int, ...], gain: float, rng: np.random.Generator) -> np.ndarray:
    values = rng.standard_normal(shape)
    rules: dict[str, Callable[[], np.ndarray]] = {
        "kernel": lambda: values * gain / np.sqrt(np.prod(shape[:-1])),
        "recurrent_kernel": lambda: values * gain / np.sqrt(shape[0]),
        "bias": lambda: values * 0.5,
        "embeddings": lambda: values * 0.8,
        "gamma": lambda: 1 + 0.3 * values,
        "beta": lambda: 0.3 * values,
        "moving_mean": lambda: values,
        "moving_variance": lambda: 0.5 * np.exp(values),
    }
    return rules[name]()


def lay(tensor: torch.Tensor, values: np.ndarray) -> None:
    """Copy an array into a parameter or buffer of the same shape."""
    assert tuple(tensor.shape) == np.shape(values)
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(values, dtype=np.float32)))


def copy_dense(module: nn.Linear, layer: Any) -> None:
    kernel, bias = layer.get_weights()
    lay(module.weight, kernel.T)
    lay(module.bias, bias)


def copy_convolution(module: nn.Conv1d | nn.Conv2d, layer: Any) -> None:
    """Copy (*kernel, input, output) into (output, input, *kernel)."""
    kernel, bias = layer.get_weights()
    lay(module.weight, np.moveaxis(kernel, (-1, -2), (0, 1)))
    assert module.bias is not None
    lay(module.bias, bias)


def copy_normalisation(module: Any, layer: Any) -> None:
    """Copy a BatchNormalization's or a LayerNormalization's weights."""
    targets = [module.weight, module.bias]
    targets += [module.running_mean, module.running_var] if hasattr(module, "running_mean") else []
    for target, values in zip(targets, layer.get_weights(), strict=True):
        lay(target, values)


def copy_embedding(module: nn.Embedding, layer: Any) -> None:
    lay(module.weight, layer.get_weights()[0])


def copy_recurrent(module: nn.RNNBase, *cells: Any) -> None:
    """Copy the weights of Keras layers, one for each layer and direction in torch's order."""
    suffixes = [f"l{layer}{end}" for layer in range(module.num_layers) for end in ("", "_reverse")[: 1 + module.bidirectional]]
    for suffix, cell in zip(suffixes, cells, strict=True):
        kernel, recurrent, bias = cell.get_weights()
        biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        order = _ORDERS[module.mode]
        for name, values in (
            ("weight_ih", kernel.T),
            ("weight_hh", recurrent.T),
            ("bias_ih", biases[0]),
            ("bias_hh", biases[1]),
        ):
            blocks = np.split(values, len(order))
            lay(getattr(module, f"{name}_{suffix}"), np.concatenate([blocks[block] for block in order]))


def copy_both_directions(module: nn.RNNBase, *layers: Any) -> None:
    """Copy the weights of Keras's Bidirectional layers."""
    copy_recurrent(module, *(half for layer in layers for half in (layer.forward_layer, layer.backward_layer)))
