"""An architecture that cannot be wired ends in an error that names what is wrong, and never in a traceback.

Covers: `frameworks/models/reading`.
"""

from __future__ import annotations

import copy
import random
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import pytest

from frameworks.errors import GatewiseError
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.version import Version
from frameworks.models.graph import Graph
from frameworks.models.reading.reading import graph_of, read_graph


def _layer(kind: str, name: str, reads: list[Any], **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": [reads] if reads else []}


def _model(*layers: dict[str, Any], outputs: list[Any], inputs: list[Any] | None = None) -> dict[str, Any]:
    first = _layer("InputLayer", "x", [], batch_input_shape=[None, 3], dtype="float32")
    config = {"name": "m", "layers": [first, *layers], "input_layers": inputs or [["x", 0, 0]], "output_layers": outputs}
    return {"class_name": "Functional", "config": config}


def _read(model: dict[str, Any]) -> Graph:
    return graph_of(Architecture(model, Version("2.4.0"), "model.h5"), [])


def _dense(name: str, reads: list[Any]) -> dict[str, Any]:
    return _layer("Dense", name, reads, units=3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_model(_dense("a", [["b", 0, 0, {}]]), _dense("b", [["a", 0, 0, {}]]), outputs=[["b", 0, 0]]), "without cycles"),
        (_model(_dense("a", [["ghost", 0, 0, {}]]), outputs=[["a", 0, 0]]), "no layer named 'ghost'"),
        (_model(_dense("a", [["x", 0, 3, {}]]), outputs=[["a", 0, 0]]), "result 3 of call 0 of 'x'"),
        (_model(_dense("a", [["x", 0, 0, {}]]), outputs=[["a", 7, 0]]), "result 0 of call 7 of 'a'"),
        (_model(_dense("a", [["x", 0, 0, {}]]), _dense("a", [["x", 0, 0, {}]]), outputs=[["a", 0, 0]]), "two layers named 'a'"),
        (_model(_dense("a", [["x", 0, 10**30, {}]]), outputs=[["a", 0, 0]]), "reads result 1000"),
        (_model(_dense("a", []), outputs=[["a", 0, 0]]), "which is not there"),
        (
            _model(_layer("InputLayer", "y", []), _dense("a", [["y", 0, 0, {}]]), outputs=[["a", 0, 0]]),
            "a reads result 0 of call 0 of 'y', which is not there",
        ),
    ],
)
def test_a_graph_that_cannot_be_wired_is_refused_by_name(model: dict[str, Any], message: str) -> None:
    with pytest.raises(GatewiseError, match=message):
        _read(model)


IMPOSSIBLE: list[tuple[str, dict[str, Any], str, str]] = [
    ("Dense", {"units": 0}, "units", "a whole number from 1 on, but is 0"),
    ("Dense", {"units": 2.5}, "units", "a whole number from 1 on, but is 2.5"),
    ("Dropout", {"rate": 2.0}, "rate", "a number from 0 to 1, but is 2.0"),
    ("Conv1D", {"filters": 2, "kernel_size": 3, "strides": -1}, "strides", "a whole number from 1 on, but is -1"),
    ("Conv1D", {"filters": 2, "kernel_size": [0]}, "kernel_size", r"a whole number from 1 on, but is \[0\]"),
    ("MaxPooling1D", {"pool_size": [0], "strides": None}, "pool_size", "a whole number from 1 on"),
    ("MaxPooling1D", {"pool_size": 2, "strides": [-2]}, "strides", "a whole number from 1 on"),
    ("ReLU", {"max_value": -1.0}, "max_value", "a number from 0 on, but is -1.0"),
    ("ZeroPadding1D", {"padding": [1, -1]}, "padding", "a whole number from 0 on"),
    ("GroupNormalization", {"groups": 0}, "groups", "a whole number from 1 on, or -1"),
    ("BatchNormalization", {"axis": 3}, "axis", "from -3 to 2, as it reads 3 axes, but is 3"),
    ("LayerNormalization", {"axis": [1, -4]}, "axis", r"from -3 to 2, as it reads 3 axes, but is \[1, -4\]"),
    ("Softmax", {"axis": 5}, "axis", "from -3 to 2"),
    ("UnitNormalization", {"axis": 5}, "axis", "from -3 to 2"),
]
"""Layers that read (batch, 4, 3): options that Keras's constructors, or the layers when they are called, refuse."""


@pytest.mark.parametrize(("kind", "options", "name", "message"), IMPOSSIBLE)
def test_an_option_out_of_its_range_is_refused_by_layer_and_name(
    kind: str, options: dict[str, Any], name: str, message: str
) -> None:
    first = _layer("InputLayer", "x", [], batch_input_shape=[None, 4, 3], dtype="float32")
    layer = _layer(kind, "odd", [["x", 0, 0, {}]], **options)
    config = {"name": "m", "layers": [first, layer], "input_layers": [["x", 0, 0]], "output_layers": [["odd", 0, 0]]}
    with pytest.raises(GatewiseError, match=f"^{name} of {kind} 'odd' must be {message}"):
        _read({"class_name": "Functional", "config": config})


def test_an_option_of_a_wrapped_layer_is_refused_alike(tmp_path: Path) -> None:
    x, path = keras.Input((4, 3)), tmp_path / "model.keras"
    y = keras.layers.TimeDistributed(keras.layers.Dropout(0.5), name="each")(x)
    keras.Model(x, keras.layers.Dense(1)(y)).save(path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["config.json"] = files["config.json"].replace(b'"rate": 0.5', b'"rate": 1.5')
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(GatewiseError, match="rate of Dropout 'each' must be a number from 0 to 1"):
        read_graph(path)


def test_two_thousand_layers_are_read() -> None:
    names = ["x", *(f"d{number}" for number in range(2000))]
    layers = [_dense(name, [[before, 0, 0, {}]]) for before, name in pairwise(names)]
    graph = _read(_model(*reversed(layers), outputs=[[names[-1], 0, 0]]))
    assert [call.layer for call in graph.calls] == names[1:]


def test_names_are_data() -> None:
    name = 'x"); import os #/é'
    graph = _read(_model(_dense(name, [["x", 0, 0, {}]]), outputs=[[name, 0, 0]]))
    assert graph.outputs[0].layer == name


def test_custom_and_lambda_layers_are_gaps() -> None:
    model = _model(
        _layer("Lambda", "f", [["x", 0, 0, {}]], function=["4wEAAAA=", None, None]),
        _layer("Mine", "g", [["f", 0, 0, {}]], size=3),
        outputs=[["g", 0, 0]],
    )
    gaps = {layer.name: layer.gap for layer in _read(model).gaps}
    assert gaps.keys() == {"f", "g"}
    assert "Mine" in gaps["g"]


_VALUES: tuple[Any, ...] = (None, True, -1, 10**30, 1e308, "", "x", "LSTM", [], {})
_VALUES += ([["x", 0, 0]], {"a": 1}, {"class_name": "Dense"}, [None])


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from _paths(value[key], (*path, key))


def test_any_value_anywhere_gives_a_graph_or_a_clear_error() -> None:
    base = _model(
        _layer("Embedding", "e", [["x", 0, 0, {}]], input_dim=5, output_dim=4, mask_zero=True),
        _layer("LSTM", "l", [["e", 0, 0, {}]], units=3, return_sequences=True, return_state=True),
        _layer("GRU", "g", [["l", 0, 0, {}], ["l", 0, 1, {}]], units=3),
        _layer("Add", "a", [["g", 0, 0, {}], ["l", 0, 2, {}]]),
        _layer("TFOpLambda", "t", ["a", 0, 0, {"y": ["g", 0, 0], "name": None}], function="math.multiply"),
        outputs=[["t", 0, 0]],
    )
    assert len(_read(base).calls) == 5
    generator, paths, refused = random.Random(0), list(_paths(base)), 0
    for _ in range(400):
        model = copy.deepcopy(base)
        *way, last = generator.choice(paths)
        place: Any = model
        for key in way:
            place = place[key]
        place[last] = copy.deepcopy(generator.choice(_VALUES))
        try:
            _read(model)
        except GatewiseError:
            refused += 1
    assert 40 < refused < 400
