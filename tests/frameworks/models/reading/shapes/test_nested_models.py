"""Shapes in nested models, at each time step, and behind a gap.

Covers: `frameworks/models/reading/shapes`.
"""

from __future__ import annotations

from frameworks.models.graph import Call, Graph, Layer, Shape, Tensor
from frameworks.models.reading.shapes import infer_shapes, with_shapes

A, B = Tensor("a"), Tensor("b")


def graph_of(
    layers: dict[str, Layer], calls: list[Call], shapes: dict[Tensor, Shape], version: tuple[int, ...] = (3, 15)
) -> Graph:
    outputs = calls[-1].results
    return Graph("model", "Functional", layers, tuple(calls), tuple(shapes), outputs, shapes=shapes, version=version)


def inner_model() -> Graph:
    """Return a model that does not state the shape of its input."""
    read, layers = Tensor("x"), {"dense": Layer("dense", "Dense", {"units": 5}), "flat": Layer("flat", "Flatten")}
    calls = (Call("dense", args=(read,)), Call("flat", args=(Tensor("dense"),)))
    return Graph("inner", "Functional", layers, calls, (read,), (Tensor("flat"),))


def test_a_nested_model_has_the_shapes_of_its_calls() -> None:
    layers = {"inner": Layer("inner", "Functional", graph=inner_model())}
    calls = [Call("inner", 0, (A,)), Call("inner", 1, (B,))]
    graph = with_shapes(graph_of(layers, calls, {A: (None, 3, 4), B: (None, 2, 4)}))
    assert graph.shapes[Tensor("inner", 0)] == (None, 15)
    assert graph.shapes[Tensor("inner", 1)] == (None, 10)
    within = graph.layers["inner"].graph
    assert within is not None
    assert within.shapes == {Tensor("x"): (None, None, 4), Tensor("dense"): (None, None, 5), Tensor("flat"): (None, None)}


def test_a_model_at_each_step_has_shapes_without_the_time_axis() -> None:
    model = Layer("steps", "Functional", graph=inner_model())
    layers = {"steps": Layer("steps", "TimeDistributed", {"layer": {}}, inner=model)}
    graph = with_shapes(graph_of(layers, [Call("steps", args=(A,))], {A: (None, 6, 3, 4)}))
    assert graph.shapes[Tensor("steps")] == (None, 6, 15)
    inner = graph.layers["steps"].inner
    assert inner is not None
    assert inner.graph is not None
    assert inner.graph.shapes[Tensor("flat")] == (None, 15)


def test_models_nested_exponentially_end_soon() -> None:
    graph = inner_model()
    for level in range(25):
        twice = (Call("inner", 0, (Tensor("x"),)), Call("inner", 1, (Tensor("x"),)))
        layers = {"inner": Layer("inner", "Functional", graph=graph)}
        graph = Graph(f"level {level}", "Functional", layers, twice, (Tensor("x"),), (Tensor("inner", 1),))
    assert infer_shapes(graph, [(None, 3, 4)])[Tensor("inner", 1)] == (None, 15)


def test_what_follows_a_gap_is_inferred_where_it_can_be() -> None:
    layers = {
        "gap": Layer("gap", "Lambda", gap="its code is not read"),
        "dense": Layer("dense", "Dense", {"units": 5}),
        "lstm": Layer("lstm", "LSTM", {"units": 6, "return_sequences": True}),
        "head": Layer("head", "Dense", {"units": 2}),
    }
    calls = [Call(name, args=(read,)) for name, read in zip(layers, (A, *map(Tensor, layers)), strict=False)]
    shapes = infer_shapes(graph_of(layers, calls, {A: (None, 3, 4)}))
    assert shapes == {A: (None, 3, 4), Tensor("lstm"): (None, None, 6), Tensor("head"): (None, None, 2)}
