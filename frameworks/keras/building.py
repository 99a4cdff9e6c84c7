"""Building Keras's own recurrent layers from a spec."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import count
from typing import Any

import keras

from frameworks.adapter import Adapter
from frameworks.counterparts import LAYER_NAMES
from frameworks.keras.activations import find_activation
from frameworks.keras.adapter import KerasAdapter
from frameworks.spec import RecurrentSpec

_SEEDED = {"kernel_initializer": keras.initializers.GlorotUniform, "recurrent_initializer": keras.initializers.Orthogonal}
_OVERWRITTEN = dict.fromkeys(_SEEDED, "zeros")
"""For weights that are overwritten immediately: an orthogonal initialisation of a large kernel takes longer than the copy."""


def build(spec: RecurrentSpec, seed: int | None = None) -> KerasAdapter:
    """Build a layer or a functional model with Keras's default initialisation; the same seed gives the same weights."""
    if seed is None:
        return KerasAdapter(_assemble(spec, 0.0, None, {}))
    with untouched_random():
        return KerasAdapter(_assemble(spec, 0.0, count(seed), {}))


def build_like(source: Adapter) -> Any:
    """Build the layer, model or cell into which a conversion copies weights; its weights are zero until then."""
    # The weights need no random numbers, but every Dropout needs a seed of its own.
    with nullcontext() if source.dropout else untouched_random():
        return _assemble_like(source)


@contextmanager
def untouched_random() -> Iterator[None]:
    """Restore Python's random generator afterwards, because Keras draws a seed from it for every layer."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _assemble_like(source: Adapter) -> Any:
    if source.is_cell:
        kind = getattr(keras.layers, f"{LAYER_NAMES['keras'][source.spec.cell]}Cell")
        cell = kind(**_arguments(source.spec), **_OVERWRITTEN)
        cell.build((None, source.spec.input_size))
        return cell
    return _assemble(source.spec, source.dropout, None, _OVERWRITTEN)


def _assemble(spec: RecurrentSpec, dropout: float, seeds: Any, initializers: dict[str, Any]) -> Any:
    layers = [_layer(spec, seeds, initializers) for _ in range(spec.num_layers)]
    if spec.num_layers == 1:
        layers[0].build((None, None, spec.input_size))
        return layers[0]
    inputs = keras.Input((None, spec.input_size), dtype=spec.dtype)
    sequence, states = inputs, []
    for index, layer in enumerate(layers):
        if dropout and index:
            sequence = keras.layers.Dropout(dropout, dtype=spec.dtype)(sequence)
        sequence, *finals = layer(sequence)
        states += finals
    return keras.Model(inputs, (sequence, *states))


def _layer(spec: RecurrentSpec, seeds: Any, initializers: dict[str, Any]) -> Any:
    kind = getattr(keras.layers, LAYER_NAMES["keras"][spec.cell])
    directions = []
    for backward in (False, True)[: spec.num_directions]:
        start = initializers if seeds is None else {name: make(seed=next(seeds)) for name, make in _SEEDED.items()}
        directions.append(kind(**_arguments(spec), **start, return_sequences=True, return_state=True, go_backwards=backward))
    if len(directions) == 1:
        return directions[0]
    forward, backward_layer = directions
    return keras.layers.Bidirectional(forward, backward_layer=backward_layer, dtype=spec.dtype)


def _arguments(spec: RecurrentSpec) -> dict[str, Any]:
    for name in (spec.activation, spec.recurrent_activation):
        find_activation(name)  # otherwise Keras would raise its own error
    return {"units": spec.hidden_size, "use_bias": spec.bias, "dtype": spec.dtype, **spec.cell_options}
