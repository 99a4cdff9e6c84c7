"""Shapes after attention, wrappers, cells and nested models are those that Keras infers.

Covers: `frameworks/models/reading/shapes`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor
from frameworks.models.reading.shapes import infer_shapes

LIBRARIES = ("keras", "tf_keras")
A, B, C = (Tensor(name) for name in "abc")


def graph_of(
    layers: dict[str, Layer], calls: list[Call], shapes: dict[Tensor, Shape], version: tuple[int, ...] = (3, 15)
) -> Graph:
    outputs = calls[-1].results
    return Graph("model", "Functional", layers, tuple(calls), tuple(shapes), outputs, shapes=shapes, version=version)


def shapes_of(layer: Layer, args: Any, kwargs: Any, shapes: dict[Tensor, Shape], outputs: int) -> list[Any]:
    """Return the shapes of the results of one call."""
    call = Call(layer.name, 0, args, kwargs, outputs=outputs)
    found = infer_shapes(graph_of({layer.name: layer}, [call], shapes))
    return [found.get(each) for each in call.results]


def called(function: Any, *arguments: Any, **named: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = function(*arguments, **named)
    return [tuple(each.shape) for each in (results if isinstance(results, (list, tuple)) else [results])]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("name", ["Attention", "AdditiveAttention"])
def test_attention(library: str, name: str, *, scores: bool) -> None:
    package = import_module(library)
    inputs = [package.Input(shape) for shape in ((5, 4), (7, 4), (7, 4))]
    layer = getattr(package.layers, name)()
    expected = called(layer, inputs, return_attention_scores=scores)
    shapes: dict[Tensor, Shape] = {A: (None, 5, 4), B: (None, 7, 4), C: (None, 7, 4)}
    record = Layer("layer", name, layer.get_config())
    named = {"return_attention_scores": scores}
    assert shapes_of(record, ([A, B, C],), named, shapes, len(expected)) == expected


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("options", [{}, {"output_shape": 8}, {"value_dim": 6, "output_shape": (2, 3)}])
def test_attention_of_several_heads(library: str, options: dict[str, Any], *, scores: bool) -> None:
    package = import_module(library)
    shapes = {A: (2, 5, 4), B: (2, 7, 6), C: (2, 7, 9)}
    inputs = [np.zeros(shape, "float32") for shape in shapes.values()]  # Keras 3 infers other shapes of scores than it computes
    layer = package.layers.MultiHeadAttention(2, 3, **options)
    expected = called(layer, *inputs, return_attention_scores=scores)
    record = Layer("layer", "MultiHeadAttention", layer.get_config())
    assert shapes_of(record, (A, B, C), {"return_attention_scores": scores}, dict(shapes), len(expected)) == expected


FLAGS = [{}, {"return_sequences": True}, {"return_state": True}, {"return_sequences": True, "return_state": True}]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_two_directions(library: str, flags: dict[str, Any]) -> None:
    package = import_module(library)
    for mode in ("concat", "sum", None):
        for name in ("LSTM", "GRU"):
            layer = package.layers.Bidirectional(getattr(package.layers, name)(5, **flags), merge_mode=mode)
            expected = called(layer, package.Input((11, 4)))
            record = Layer("layer", "Bidirectional", layer.get_config())
            assert shapes_of(record, (A,), {}, {A: (None, 11, 4)}, len(expected)) == expected


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("flags", FLAGS[:2], ids=str)
def test_cells(library: str, flags: dict[str, Any]) -> None:
    package = import_module(library)
    cells = package.layers
    for cell in (cells.LSTMCell(5), cells.SimpleRNNCell(5), cells.StackedRNNCells([cells.GRUCell(3), cells.LSTMCell(5)])):
        layer = package.layers.RNN(cell, **flags)
        expected = called(layer, package.Input((11, 4)))
        assert shapes_of(Layer("layer", "RNN", layer.get_config()), (A,), {}, {A: (None, 11, 4)}, len(expected)) == expected


def test_states_of_cells_come_in_the_order_of_cells() -> None:
    cells = import_module("keras").layers
    layer = cells.RNN([cells.GRUCell(3), cells.LSTMCell(5)], return_state=True)
    record = Layer("layer", "RNN", layer.get_config())
    assert shapes_of(record, (A,), {}, {A: (None, 11, 4)}, 4) == [(None, 5), (None, 3), (None, 5), (None, 5)]


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_step(library: str) -> None:
    package = import_module(library)
    layers = package.layers
    for inner, shape in (
        (layers.Dense(5), (11, 4)),
        (layers.Conv1D(5, 3), (6, 11, 4)),
        (layers.LSTM(5), (6, 11, 4)),
        (layers.Flatten(), (6, 11, 4)),
        (layers.TimeDistributed(layers.Dense(5)), (6, 11, 4)),
    ):
        layer = layers.TimeDistributed(inner)
        expected = called(layer, package.Input(shape))
        record = wrapped(type(layer).__name__, layer)
        assert shapes_of(record, (A,), {}, {A: (None, *shape)}, 1) == expected


def wrapped(name: str, layer: Any) -> Layer:
    """Return the record of a layer, with that of the layer within it."""
    inner = wrapped(type(layer.layer).__name__, layer.layer) if name == "TimeDistributed" else None
    return Layer("layer", name, layer.get_config(), inner=inner)
