"""Shapes after operations are those that `keras.ops` infers.

Covers: `frameworks/models/reading/shapes/operations.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor, replaced, tensors_in
from frameworks.models.reading.shapes import infer_shapes
from frameworks.models.reading.shapes.operations import OPERATIONS

X, Y, Z, V = (Tensor(name) for name in "xyzv")
SHAPES: dict[Tensor, Shape] = {X: (None, 5, 4), Y: (None, 1, 4), Z: (None, 4, 3), V: (None, 4)}

CASES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("multiply", (X, 2), {}),
    ("add", (X, Y), {}),
    ("subtract", (X, np.ones((5, 1))), {}),
    ("divide", (1.0, X), {}),
    ("not_equal", (X, 0), {}),
    ("maximum", (X, Y), {}),
    ("where", (X, Y, 0.0), {}),
    ("exp", (X,), {}),
    ("softmax", (X,), {"axis": -1}),
    ("cast", (X, "int32"), {}),
    ("mean", (X,), {"axis": 1}),
    ("mean", (X,), {"axis": [1, 2], "keepdims": True}),
    ("sum", (X,), {"axis": -1, "keepdims": True}),
    ("max", (X, 1), {}),
    ("sum", (X,), {}),
    ("argmax", (X,), {"axis": -1}),
    ("any", (X,), {"axis": -1}),
    ("get_item", (X, (slice(None), -1)), {}),
    ("get_item", (X, (slice(None), slice(1, None, 2), None)), {}),
    ("get_item", (X, (..., 0)), {}),
    ("get_item", (X, (..., slice(-3, -1))), {}),
    ("get_item", (X, (slice(None), 0, 1)), {}),
    ("reshape", (X, (-1, 20)), {}),
    ("reshape", (X,), {"newshape": (-1, 2, 2)}),
    ("transpose", (X,), {"axes": (0, 2, 1)}),
    ("swapaxes", (X, 1, 2), {}),
    ("moveaxis", (X, 1, -1), {}),
    ("expand_dims", (X,), {"axis": -1}),
    ("expand_dims", (X, 1), {}),
    ("squeeze", (Y,), {"axis": 1}),
    ("concatenate", ([X, Y],), {"axis": 1}),
    ("concatenate", ([X, X],), {"axis": -1}),
    ("stack", ([V, V],), {"axis": 1}),
    ("split", (X, 2), {"axis": -1}),
    ("split", (X, [1, 3]), {"axis": 1}),
    ("unstack", (X,), {"axis": 1}),
    ("matmul", (X, Z), {}),
    ("einsum", ("bij,bjk->bik", X, Z), {}),
    ("einsum", ("...ij,...jk->...ik", X, Z), {}),
    ("einsum", ("b...,b...->...b", X, X), {}),
    ("repeat", (X, 3), {"axis": 1}),
    ("tile", (X, (1, 2, 1)), {}),
    ("take", (X, np.array([0, 2])), {"axis": 1}),
    ("pad", (X, ((0, 0), (1, 2), (0, 0))), {}),
    ("one_hot", (V, 7), {}),
    ("top_k", (X, 2), {}),
    ("flip", (X,), {"axis": 1}),
    ("cumsum", (X,), {"axis": 1}),
    ("logical_or", (X, Y), {}),
    ("ones_like", (X,), {}),
]


def in_keras(name: str, args: Any, kwargs: Any) -> list[Any]:
    import keras

    tensors = {tensor: keras.KerasTensor(shape) for tensor, shape in SHAPES.items()}
    if name == "one_hot":
        tensors = {tensor: keras.KerasTensor(shape, dtype="int32") for tensor, shape in SHAPES.items()}
    if name == "get_item":
        results = replaced(args[0], tensors)[args[1]]
    else:
        results = getattr(keras.ops, name)(*replaced(args, tensors), **kwargs)
    return [tuple(each.shape) for each in (results if isinstance(results, (list, tuple)) else [results])]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=lambda each: str(each)[:50])
def test_the_shape_is_that_of_keras(name: str, args: Any, kwargs: Any) -> None:
    expected = in_keras(name, args, kwargs)
    inputs = tuple(dict.fromkeys(tensors_in(args)))
    call = Call("operation", args=args, kwargs=kwargs, outputs=len(expected))
    layers = {"operation": Layer("operation", f"ops.{name}")}
    graph = Graph("model", "Functional", layers, (call,), inputs, call.results, shapes={each: SHAPES[each] for each in inputs})
    found = infer_shapes(graph)
    assert [found.get(each) for each in call.results] == expected


def test_every_name_is_a_function_of_keras() -> None:
    import keras

    assert {name for name in OPERATIONS if not hasattr(keras.ops, name)} == set()
