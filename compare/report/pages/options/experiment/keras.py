"""Trials of Keras arguments: a layer compared with its converted and emulated counterparts."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare.report.arrays import Array, flat
from compare.report.pages.options.experiment.examples import BATCH, HIDDEN, INPUT, TIME, Example, keras_examples
from compare.report.pages.options.experiment.trials import Outcome, effect_of, try_out
from compare.returns.mapping import returns_map
from frameworks import adapt, convert, emulate
from frameworks.errors import GatewiseError

_MASK = np.array([[True, True], [True, False], [True, False]])
_QUICK = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
"""Fast initialisers, for weights that are overwritten right afterwards."""


class KerasTrials:
    """Trials of Keras arguments. The layer without an argument is called only once for all examples."""

    def __init__(self) -> None:
        """Draw the inputs."""
        self._x = np.random.default_rng(12).normal(size=(BATCH, TIME, INPUT))
        self._examples = keras_examples()
        self._without: dict[str, list[Array]] = {}

    def kind(self, name: str) -> type:
        """Return a class of keras.layers by name."""
        import keras

        kind: type = getattr(keras.layers, name)
        return kind

    def run(self, name: str, argument: str, index: int) -> Outcome:
        """Try the example of an argument's fate, given by its index, on one class."""
        import torch

        example = self._examples[argument][index]
        layer = _make(name, {**example.beside, **example.arguments}, drawn=example.drawn)
        x = self._x.astype("float64" if layer.compute_dtype == "float64" else "float32")
        expected = _call(layer, x, example, lambda array: array)
        if example.calls > 1:
            layer.reset_state()
        ways = {
            "convert": try_out(lambda: _call_converted(layer, x, example), expected),
            "emulate": try_out(lambda: _call(emulate(layer), x, example, torch.from_numpy, _units(layer)), expected),
        }
        effect = effect_of(self._call_without(name, example, x), expected) if example.arguments else None
        return Outcome(ways, effect)

    def can_be_written(self, name: str, argument: str, index: int) -> bool | None:
        """Return whether the torch module, constructed directly, accepts a value; None if the value is an object of Keras."""
        from frameworks.keras_in_torch import layers as written

        arguments = self._examples[argument][index].arguments
        kind = getattr(written, f"Keras{name}", None)
        if kind is None or not arguments or not all(isinstance(value, (str, int, float)) for value in arguments.values()):
            return None
        owned: dict[str, Any] = {"units": HIDDEN}
        if name == "RNN":
            owned = {"cell": written.KerasLSTMCell(HIDDEN)}
        elif name == "Bidirectional":
            owned = {"layer": written.KerasLSTM(HIDDEN)}
        try:
            kind(**{**owned, **arguments})
        except (GatewiseError, TypeError, ValueError):
            return False
        return True

    def _call_without(self, name: str, example: Example, x: Array) -> list[Array]:
        key = f"{name} {example.beside} {example.masked} {example.calls} {x.dtype}"
        if key not in self._without:
            layer = _make(name, example.beside, drawn=example.drawn)
            self._without[key] = _call(layer, x, example, lambda array: array)
        return self._without[key]


def _make(name: str, arguments: Mapping[str, Any], *, drawn: bool) -> Any:
    """Make and build a layer. Weights of equal shapes are equal, unless the layer keeps its initial ones."""
    from keras import layers

    dtype = {"dtype": arguments["dtype"]} if "dtype" in arguments else {}
    owned: dict[str, Any] = {"units": HIDDEN, **_QUICK}
    if name == "RNN":
        owned = {"cell": layers.LSTMCell(**owned, **dtype)}
    elif name == "StackedRNNCells":
        owned = {"cells": [layers.LSTMCell(**owned, **dtype)]}
    elif name == "Bidirectional":
        owned = {"layer": layers.LSTM(**owned, **dtype)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras prefers an Input to input_shape
        layer = getattr(layers, name)(**{**owned, **arguments})
    if name == "StackedRNNCells":
        layer = layers.RNN(layer, **dtype)
    layer.build((BATCH, INPUT) if name in _CELLS else (BATCH, TIME, INPUT))
    if not drawn:
        rng = np.random.default_rng(5)
        layer.set_weights([rng.normal(0, 0.4, variable.shape) for variable in layer.weights])
    return layer


_CELLS = ("SimpleRNNCell", "LSTMCell", "GRUCell")


def _units(layer: Any) -> int | None:
    """Return the units of a bare cell, None for a layer."""
    return int(layer.units) if type(layer).__name__ in _CELLS else None


def _call(native: Any, x: Array, example: Example, wrap: Callable[[Array], Any], units: int | None = None) -> list[Array]:
    """Call a Keras layer or cell, or its emulation, which is called in the same way."""
    units = units or _units(native)
    if units is not None:
        return flat(native(wrap(x[:, 0]), [wrap(state) for state in _states(native, x, units)]))
    mask = {"mask": wrap(_MASK)} if example.masked else {}
    results = [native(wrap(x), **mask) for _ in range(example.calls)]
    return flat(results[-1])


def _states(native: Any, x: Array, units: int) -> list[Array]:
    rng = np.random.default_rng(13)
    count = 2 if "LSTM" in type(native).__name__ else 1
    return [rng.normal(size=(BATCH, units)).astype(x.dtype) for _ in range(count)]


def _call_converted(layer: Any, x: Array, example: Example) -> list[Array]:
    """Call the converted torch module, and map its results to those of Keras."""
    import torch

    module = convert(layer)
    units = _units(layer)
    if units is not None:
        states = [torch.from_numpy(state) for state in _states(layer, x, units)]
        h, *rest = flat(module(torch.from_numpy(x[:, 0]), tuple(states) if len(states) > 1 else states[0]))
        return [h, h, *rest]
    result = adapt(module).forward(x, mask=_MASK if example.masked else None)
    return flat(returns_map(layer).to_keras(result.output, result.h_n, result.c_n))
