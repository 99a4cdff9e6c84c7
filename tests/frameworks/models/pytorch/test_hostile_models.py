"""Hostile and huge models: harmless names, gaps by name, thousands of layers.

Covers: `frameworks/models/pytorch`.
"""

from __future__ import annotations

import ast
import base64
import copy
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

from frameworks.errors import GatewiseError, NoCounterpartError
from frameworks.files.checkpoint import open_described
from frameworks.files.other_layers import OtherLayer
from frameworks.files.untrusted.source import in_memory
from frameworks.models import port_model, to_source
from frameworks.models.graph import Call, Graph, Layer, Tensor
from frameworks.models.pytorch.building import built
from frameworks.models.pytorch.writing import write_module
from frameworks.models.reading.reading import graph_of
from frameworks.models.source import Source

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


CODE = (
    "0) or EVIL() or (0",
    'x"); EVIL(); ("',
    "EVIL()",
    "{EVIL()}",
    "\\\nEVIL()\n",
    '"""\nEVIL()\n"""',
    "__import__('EVIL')",
    "a,b->c'); EVIL(); ('",
)


@pytest.fixture(scope="module")
def stated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A model with options, operations and a custom layer, as a file, and its architecture."""
    steps = keras.Input((7, 3), name="steps")
    x = keras.layers.Conv1D(4, 2, padding="causal", activation="relu")(steps)
    x = keras.layers.LeakyReLU()(keras.layers.MaxPooling1D(2)(x))
    x = keras.ops.cast(keras.ops.expand_dims(keras.ops.sum(x, axis=1), 1), "float32")
    x = keras.layers.Rescaling(2.0)(keras.layers.Dropout(0.1)(x))
    x = keras.layers.GRU(4)(keras.layers.Masking()(x))
    x = keras.layers.Lambda(lambda x: x * 2, output_shape=(4,), name="doubled")(x)
    path = tmp_path_factory.mktemp("stated") / "model.keras"
    model = keras.Model(steps, keras.layers.LayerNormalization()(x))
    model.save(path)
    return path, json.loads(model.to_json())


def leaves(value: Any, *way: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the ways to all texts, numbers and flags."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from leaves(each, *way, key)
    if not isinstance(value, (dict, list)):
        yield way


def called(text: str) -> set[str]:
    """Return the names that a source calls, which are neither its own nor Python's."""
    tree = ast.parse(text)
    own = {node.name for node in ast.walk(tree) if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    calls = (node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return set(calls) - own


def test_no_value_of_an_architecture_becomes_code(stated: tuple[Path, dict[str, Any]]) -> None:
    """Each leaf of the JSON in turn is text that would be a call, if it ever stood in the source without quotes."""
    path, architecture = stated
    checkpoint, found = open_described(path)
    assert found is not None
    layers = [layer for _, layer in checkpoint.in_order]

    def written_of(model: dict[str, Any]) -> Source:
        return write_module(graph_of(replace(found, model=model), layers))

    plain = written_of({**architecture, "keras_version": keras.__version__})
    known, written, refused = called(plain.text), 0, 0
    assert "EVIL" not in known
    ways, dice = list(leaves(architecture["config"], "config")), random.Random(0)
    for way in dice.sample(ways, 100):
        changed = copy.deepcopy(architecture)
        *rest, last = way
        place: Any = changed
        for key in rest:
            place = place[key]
        place[last] = dice.choice(CODE)
        try:
            source = written_of(changed)
        except GatewiseError:
            refused += 1
            continue
        written += 1
        classes = {node.name for node in ast.walk(ast.parse(source.text)) if isinstance(node, ast.ClassDef)}
        assert called(source.text) <= known | classes, way
        assert imports(source.text) == imports(plain.text), way
        assert max(map(len, source.text.splitlines())) <= 120
    assert min(written, refused) > 20


def test_a_text_that_no_one_checks_would_be_noticed(
    stated: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, architecture = copy.deepcopy(stated)
    monkeypatch.setattr("frameworks.kinds.resolving._require_plain", lambda *_: None)
    (layer,) = (each for each in architecture["config"]["layers"] if each["class_name"] == "LeakyReLU")
    layer["config"]["negative_slope"] = CODE[0]
    assert "EVIL" in called(to_source(path, architecture=architecture).text)


@pytest.mark.parametrize(
    ("kind", "option", "value", "said"),
    [
        ("Conv1D", "filters", 9, "have the shapes of filters=4, and the architecture states filters=9"),
        ("Conv1D", "kernel_size", [3], "have the shapes of kernel_size=2"),
        ("Conv1D", "use_bias", False, "where kernel are expected"),
        ("Conv1D", "strides", ["1) or EVIL("], "strides of a Conv1D must be a finite number"),
        ("Conv1D", "padding", "sane", "padding of a Conv1D must be 'valid' or 'same' or 'causal', but is 'sane'"),
        ("Conv1D", "dilation_rate", [1.5], "a whole number from 1 on"),
        ("MaxPooling1D", "pool_size", [{}], "pool_size of a MaxPooling1D"),
        ("LeakyReLU", "negative_slope", float("nan"), "negative_slope of a LeakyReLU must be a finite number"),
        ("LayerNormalization", "scale", False, "the weights of LayerNormalization"),
        ("InputLayer", "batch_shape", [None, 7, 5], "must have 3 channels"),
    ],
)
def test_what_contradicts_the_weights_or_makes_no_sense_is_refused_by_name(
    kind: str, option: str, value: Any, said: str, stated: tuple[Path, dict[str, Any]]
) -> None:
    path, architecture = copy.deepcopy(stated)
    (layer,) = (each for each in architecture["config"]["layers"] if each["class_name"] == kind)
    layer["config"][option] = value
    with pytest.raises(GatewiseError) as caught:
        to_source(path, architecture=architecture)
    assert said in str(caught.value)


def test_every_line_of_an_awkward_source_fits(tmp_path: Path) -> None:
    """Many inputs and outputs, long names everywhere, long constants: 120 columns, and ruff's default rules."""
    names = [f"{'a_long_name_' * 8}{number}" for number in range(9)]
    inputs = tuple(Tensor(f"read_{name}") for name in names)
    inside = {each.layer: Layer(each.layer, "InputLayer") for each in inputs} | {name: dense(name) for name in names}
    calls = tuple(Call(name, args=(each,), masks=(None,)) for name, each in zip(names, inputs, strict=True))
    outputs = tuple(Tensor(name) for name in names)
    nested = Graph("nested" * 20, "Functional", inside, calls, inputs, outputs, single=False)
    several = Call("nested " * 20, args=(list(inputs),), masks=(None,) * 9, outputs=9, is_list=True)
    told = Call("mystery" * 9, args=(Tensor(several.layer, 0, 0), "constant " * 40), masks=(None,))
    summed = [
        Call(f"sum {'of sums ' * 9}{at}", args=(Tensor(several.layer, 0, at), Tensor(several.layer, 0, at + 1)))
        for at in range(8)
    ]
    layers = {each.layer: inside[each.layer] for each in inputs}
    layers |= {several.layer: Layer(several.layer, "Functional", graph=nested), told.layer: gap({"a": "b" * 500}, told.layer)}
    layers |= {each.layer: Layer(each.layer, "ops.add") for each in summed}
    ends = (Tensor(told.layer), *(Tensor(each.layer) for each in summed))
    source = write_module(Graph("m" * 99, "Functional", layers, (several, told, *summed), inputs, ends, single=False))
    assert max(map(len, source.text.splitlines())) <= 120
    path, *_ = source.write(tmp_path / "awkward")
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length=120", "--extend-select=E501", str(path)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    model = built(source)
    filled = {each.method.partition(".")[2]: lambda x, text: x + len(text) for each in source.gaps}
    for name, function in filled.items():
        setattr(model, name, function)
    x = [torch.from_numpy(RNG.normal(size=(2, 3)).astype("float32")) for _ in names]
    first, *sums = model(*x)
    single = [by_hand([inside[name]], each.numpy()) for name, each in zip(names, x, strict=True)]
    np.testing.assert_allclose(first.detach(), single[0] + 360, atol=1e-4)
    for at, each in enumerate(sums):
        np.testing.assert_allclose(each.detach(), single[at] + single[at + 1], atol=1e-5)
