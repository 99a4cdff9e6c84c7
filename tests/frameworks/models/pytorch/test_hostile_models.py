"""Hostile and huge models: harmless names, gaps by name, thousands of layers.

Covers: `frameworks/models/pytorch`.
"""

from __future__ import annotations

import ast
import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks.errors import GatewiseError, NoCounterpartError
from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import in_memory
from frameworks.models import port_model, to_source
from frameworks.models.graph import Call, Graph, Layer, Tensor
from frameworks.models.pytorch.building import built
from frameworks.models.pytorch.writing import write_module

RNG = np.random.default_rng(3)
HOSTILE = (
    *('x"); import os', "x'); import os", '"""', '""" + exec("import os") + """', "\\", '\\"""', "a\nimport os", "#", "{x}"),
    *("class", "None", "match", "self", "torch", "nn", "F", "math", "x", "super", "print", "forward", "train", "type", "to"),
    *(
        "load_state_dict",
        "__init__",
        "__class__",
        "_parameters",
        "a/b",
        "a.b",
        "a_b",
        "A b",
        "слой",
        "層",
        "\u202eevil",
        "\0",
        "1",
        "",
    ),
    *("n" * 1000, "mask", "build", "load", "json", "PORT", "Model", "half", "double", "\ud800", "training", "Path"),
)


def dense(name: str, size: int = 3) -> Layer:
    arrays = {"kernel": RNG.normal(size=(size, size)).astype("float32"), "bias": RNG.normal(size=size).astype("float32")}
    stored = {array: in_memory(values) for array, values in arrays.items()}
    return Layer(name, "Dense", {"units": size}, OtherLayer(name, "Dense", stored, known=True))


def chain(layers: Sequence[Layer], name: str = "model", read: str = "input") -> Graph:
    calls, last = [], Tensor(read)
    for layer in layers:
        calls.append(Call(layer.name, args=(last,), masks=(None,)))
        last = Tensor(layer.name)
    named = {read: Layer(read, "InputLayer"), **{layer.name: layer for layer in layers}}
    shapes = dict.fromkeys([Tensor(read), *(Tensor(layer.name) for layer in layers)], (None, 3))
    return Graph(name, "Functional", named, tuple(calls), (Tensor(read),), (last,), shapes=shapes, source=name)


def by_hand(layers: Sequence[Layer], x: Any) -> Any:
    for layer in layers:
        assert isinstance(layer.stored, OtherLayer)
        x = x @ layer.stored.arrays["kernel"] + layer.stored.arrays["bias"]
    return x


def imports(text: str) -> set[str]:
    every = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return {name.name if isinstance(node, ast.Import) else str(node.module) for node in every for name in node.names}


@pytest.mark.parametrize("name", ["model", *HOSTILE[:12]])
def test_hostile_names_of_layers_inputs_and_models_come_out_harmless(name: str) -> None:
    layers = [dense(each) for each in dict.fromkeys(HOSTILE) if each != name]
    source = write_module(chain(layers, name, read=name))
    assert imports(source.text) == {"json", "math", "pathlib", "torch"}
    assert not {"os", "exec", "evil"} & {node.id for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.Name)}
    assert source.text.isascii() or "\u202e" not in source.text
    assert max(map(len, source.text.splitlines())) <= 120
    x = RNG.normal(size=(2, 3)).astype("float32")
    made = built(source)(torch.from_numpy(x)).detach().numpy()
    expected = by_hand(layers, x)
    np.testing.assert_allclose(made, expected, atol=1e-4 * np.abs(expected).max())


def test_layers_that_are_read_twice_keep_their_names_apart() -> None:
    layers = [dense(each) for each in dict.fromkeys(HOSTILE)]
    first = [Call(each.name, args=(Tensor("input"),), masks=(None,)) for each in layers]
    named = {"input": Layer("input", "InputLayer"), **{each.name: each for each in layers}}
    outputs = tuple(Tensor(each.name) for each in layers)
    source = write_module(Graph("m", "Functional", named, tuple(first), (Tensor("input"),), outputs, single=False))
    x = RNG.normal(size=(2, 3)).astype("float32")
    for layer, made in zip(layers, built(source)(torch.from_numpy(x)), strict=True):
        np.testing.assert_allclose(made.detach().numpy(), by_hand([layer], x), atol=1e-5)


def test_two_thousand_layers_take_seconds() -> None:
    layers = [dense(f"dense_{number}") for number in range(2000)]
    start = time.process_time()
    source = write_module(chain(layers))
    few, start = time.process_time() - start, time.process_time()
    write_module(chain(layers[:500]))
    assert few < 12 * (time.process_time() - start)  # four times the layers, about four times the time
    assert source.text.count("x = self.") == 1999


def test_a_model_nested_a_hundred_deep_is_written() -> None:
    layer = dense("innermost")
    for depth in range(100):
        layer = Layer(f"model_{depth}", "Functional", graph=chain([layer], f"model_{depth}"))
    source = write_module(chain([layer]))
    (innermost,) = (each.layer for each in source.table if each.layer.endswith("innermost"))
    assert innermost.count("/") == 100
    assert built(source)(torch.eye(3)).shape == (3, 3)


def gap(config: dict[str, Any], name: str = "mystery") -> Layer:
    stored = OtherLayer(name, "Mystery", {"W/a": in_memory(np.eye(3, dtype="float32")), "n": in_memory(np.arange(2))})
    return Layer(name, "Mystery", config, stored, gap="its code is not in the file")


def test_a_gap_is_a_method_with_the_config_and_the_arrays() -> None:
    source = write_module(chain([dense("before"), gap({"units": 3, "note": '"""\nimport os'}), dense("after")]))
    assert [(each.layer, each.kind, each.method) for each in source.gaps] == [("mystery", "Mystery", "Model.mystery")]
    assert source.arrays["mystery_weights.W_a"].tolist() == np.eye(3).tolist()
    assert imports(source.text) == {"json", "math", "pathlib", "torch"}
    model = built(source)
    assert model.mystery_weights["n"].tolist() == [0, 1]
    with pytest.raises(NotImplementedError, match="mystery stands for Mystery"):
        model(torch.eye(3))
    documented = type(model).mystery.__doc__
    for told in ("Mystery", "units: 3", "W_a (3, 3)", "(batch, 3)", "import os"):
        assert told in documented
    model.mystery = lambda x: x @ model.mystery_weights["W_a"]
    assert model(torch.eye(3)).shape == (3, 3)


def test_a_lambda_is_a_gap_and_never_runs(tmp_path: Path) -> None:
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(2)(keras.layers.Lambda(lambda x: x * 2, output_shape=(3,), name="double")(x)))
    model.save(tmp_path / "model.keras")
    source = to_source(tmp_path / "model.keras")
    assert [(each.layer, each.kind) for each in source.gaps] == [("double", "Lambda")]
    assert "def double_(self, x):" in source.text
    assert base64.b64encode(b"marshal").decode() not in source.text
    with pytest.raises(NoCounterpartError, match=r"layers that are left to you: double \(Lambda\)"):
        port_model(tmp_path / "model.keras")


def test_an_option_without_counterpart_is_refused_with_the_name_of_the_layer() -> None:
    layer = dense("weird")
    graph = chain([Layer("weird", "Dense", {"units": 3, "activation": "no_such"}, layer.stored)])
    with pytest.raises(GatewiseError, match="weird"):
        write_module(graph)


@pytest.mark.parametrize("to", ["keras", "onnx"])
def test_another_framework_is_refused_by_name(to: Any, tmp_path: Path) -> None:
    with pytest.raises(GatewiseError, match=r"must be"):
        to_source(tmp_path / "none.keras", to)


def test_a_model_whose_nested_one_trains_in_some_calls_is_refused() -> None:
    nested = Layer("inner", "Functional", graph=chain([dense("d")], "inner"))
    calls = (Call("inner", 0, (Tensor("input"),), {"training": True}), Call("inner", 1, (Tensor("inner"),)))
    graph = Graph(
        "m",
        "Functional",
        {"input": Layer("input", "InputLayer"), "inner": nested},
        calls,
        (Tensor("input"),),
        (Tensor("inner", 1),),
    )
    with pytest.raises(GatewiseError, match="training=True in all of its calls or in none"):
        write_module(graph)


def test_a_source_is_the_same_in_every_run() -> None:
    graph = chain([dense("a"), dense("b")])
    assert write_module(graph).text == write_module(graph).text
