"""The shape after every kind of layer is the one that Keras infers, in both generations, channels first or last.

Covers: `frameworks/models/reading/shapes`.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from typing import Any

import pytest

from frameworks.models.graph import Call, Graph, Layer, Tensor
from frameworks.models.reading.shapes import infer_shapes
from tests.frameworks.kinds.layer_cases import CASES, made


def inferred(library: Any, layers: dict[str, Layer], call: Call, shapes: list[tuple[Any, ...]]) -> list[Any]:
    """Return the shapes of the results of one call on inputs of these shapes."""
    version = tuple(int(part) for part in library.__version__.split("."))
    inputs = tuple(Tensor(f"input_{index}") for index in range(len(shapes)))
    given = dict(zip(inputs, shapes, strict=True))
    graph = Graph("model", "Functional", layers, (call,), inputs, call.results, shapes=given, version=version)
    found = infer_shapes(graph)
    return [found.get(each) for each in call.results]


def in_keras(library: Any, layer: Any, shapes: list[tuple[Any, ...]]) -> list[Any]:
    """Return the shapes of what a layer returns for symbolic inputs."""
    inputs = [library.Input(batch_shape=shape) for shape in shapes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = layer(inputs if len(inputs) > 1 else inputs[0])
    return [tuple(each.shape) for each in (results if isinstance(results, (list, tuple)) else [results])]


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
@pytest.mark.parametrize(("name", "options", "shapes"), CASES, ids=lambda each: str(each).replace("None", "-")[:60])
def test_the_shape_is_keras_own(library: str, name: str, options: dict[str, Any], shapes: list[tuple[Any, ...]]) -> None:
    package = import_module(library)
    layer = made(package, name, options)
    if layer is None:
        return
    expected = in_keras(package, layer, shapes)
    inputs = [Tensor(f"input_{index}") for index in range(len(shapes))]
    call = Call("layer", args=(inputs if len(inputs) > 1 else inputs[0],), outputs=len(expected))
    record = Layer("layer", name, layer.get_config())
    assert inferred(package, {"layer": record}, call, shapes) == expected
