"""An architecture that cannot be wired ends in an error that names what is wrong, and never in a traceback.

Covers: `frameworks/models/reading`.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from frameworks.errors import GatewiseError
from frameworks.files.keras.architecture import Architecture
from frameworks.files.keras.version import Version
from frameworks.models.graph import Graph
from frameworks.models.reading.reading import graph_of


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
