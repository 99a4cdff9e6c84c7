"""The kind of a layer beside a recurrent one, its arrays and its options are those that its operator states.

Covers: `frameworks/files/onnx/other_layers.py`, `frameworks/files/onnx/operators.py`, `frameworks/kinds/onnx.py`.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.files import OtherLayer, open_checkpoint
from frameworks.kinds import OPERATORS, PYTORCH
from tests.frameworks.files.onnx.test_nodes import graph, node, opened, weights

RNG = np.random.default_rng(0)


def array(*shape: int) -> Any:
    return RNG.normal(size=shape).astype("f4")


def others(path: Path, nodes: list[bytes], arrays: dict[str, Any]) -> dict[str, OtherLayer]:
    """Read the layers beside an LSTM."""
    content = graph([*nodes, node("LSTM", "x W R B", "y", "rec")], weights("LSTM") | arrays)
    return dict(opened(path / "a.onnx", content).others)


CASES: dict[str, tuple[str, dict[str, tuple[int, ...]], dict[str, Any], str, dict[str, Any]]] = {
    "a convolution": (
        "Conv",
        {"weight": (6, 1, 3, 3), "bias": (6,)},
        {"group": 6, "strides": [2, 2], "pads": [0, 0, 0, 0]},
        "Conv2d",
        {"groups": 6, "strides": (2, 2), "dilation_rate": 1},
    ),
    "a convolution of one axis": ("Conv", {"weight": (4, 3, 5)}, {}, "Conv1d", {"groups": 1, "strides": 1, "dilation_rate": 1}),
    "a convolution of three axes": (
        "Conv",
        {"weight": (4, 3, 2, 2, 2)},
        {"dilations": [2, 2, 2]},
        "Conv3d",
        {"dilation": (2, 2, 2)},
    ),
    "a padded convolution": (
        "Conv",
        {"weight": (4, 3, 5)},
        {"auto_pad": "SAME_UPPER"},
        "Conv1d",
        {"groups": 1, "strides": 1, "dilation_rate": 1, "padding": "same"},
    ),
    "a transposed convolution": (
        "ConvTranspose",
        {"weight": (8, 3, 3, 3), "bias": (6,)},
        {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]},
        "ConvTranspose2d",
        {"groups": 2, "stride": (2, 2), "padding": (1, 1), "output_padding": (1, 1), "dilation": 1},
    ),
    "a normalisation of the batch": (
        "BatchNormalization",
        dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (6,)),
        {"epsilon": 0.01, "momentum": 0.8},
        "BatchNorm",
        {"epsilon": 0.01, "momentum": 0.8},
    ),
    "a normalisation by default": (
        "BatchNormalization",
        dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (6,)),
        {},
        "BatchNorm",
        {"epsilon": 1e-5, "momentum": 0.9},
    ),
    "a normalisation of the layer": (
        "LayerNormalization",
        {"weight": (6,), "bias": (6,)},
        {"axis": -1},
        "LayerNorm",
        {"epsilon": 1e-5},
    ),
    "a normalisation of groups": (
        "GroupNormalization",
        {"weight": (6,), "bias": (6,)},
        {"num_groups": 3, "epsilon": 0.5},
        "GroupNorm",
        {"num_groups": 3, "eps": 0.5},
    ),
    "a normalisation of instances": (
        "InstanceNormalization",
        {"weight": (6,), "bias": (6,)},
        {},
        "InstanceNorm",
        {"eps": 1e-5},
    ),
    "a rectifier": ("PRelu", {"weight": (6, 1, 1)}, {}, "PReLU", {}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_module_has_the_kind_and_the_options_of_its_node(name: str, tmp_path: Path) -> None:
    operator, shapes, attributes, kind, options = CASES[name]
    arrays = {f"net.layer.{own}": array(*shape) for own, shape in shapes.items()}
    (layer,) = others(tmp_path, [node(operator, " ".join(["i", *arrays]), "o", "here", **attributes)], arrays).values()
    assert (layer.name, layer.kind, {**layer.config, **options}) == ("net.layer", kind, dict(layer.config))
    assert not [warning for warning in layer.warnings if "assumed" in warning]
    for own, stored in layer.arrays.items():
        np.testing.assert_array_equal(stored.reshape(-1), arrays[f"net.layer.{own}"].reshape(-1))
    assert set(layer.stored) == set(shapes)


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("Conv", {"pads": [2, 0]}),
        ("Conv", {"auto_pad": "SAME_LOWER"}),
        ("Conv", {"pads": [1, 1]}),
    ],
)
def test_padding_that_keras_lacks_is_named(operator: str, attributes: Any, tmp_path: Path) -> None:
    (layer,) = others(tmp_path, [node(operator, "i weight", "o", "here", **attributes)], {"weight": array(4, 3, 5)}).values()
    assert (layer.kind, layer.known) == ("Conv1d", False)
    assert layer.warnings[0].startswith("padding=")


UNKNOWN: dict[str, tuple[str, str, dict[str, tuple[int, ...]], dict[str, Any]]] = {
    "an Einsum": ("Einsum", "g w", {"w": (4, 6, 6)}, {"equation": "bgi,gih->bgh"}),
    "a product with several matrices": ("MatMul", "i w", {"w": (4, 6, 6)}, {}),
    "a product from the left": ("MatMul", "w i", {"w": (6, 6)}, {}),
    "a turned input": ("Gemm", "i w b", {"w": (5, 6), "b": (6,)}, {"transA": 1}),
    "a lookup along another axis": ("Gather", "w i", {"w": (5, 6)}, {"axis": 1}),
    "statistics of the batch": ("BatchNormalization", "i a b c d", dict.fromkeys("abcd", (6,)), {"training_mode": 1}),
    "a convolution in four directions": ("Conv", "i w", {"w": (4, 3, 2, 2, 2, 2)}, {}),
    "a computed weight": ("Conv", "i made b", {"b": (4,)}, {}),
    "an operator of another program": ("Conv", "i w", {"w": (4, 3, 5)}, {"domain": "com.microsoft"}),
    "a sum": ("Add", "i w", {"w": (1, 7, 6)}, {}),
    "options of another type": ("BatchNormalization", "i a b c d", dict.fromkeys("abcd", (6,)), {"momentum": [0.5, 0.5]}),
    "a factor of another type": ("Gemm", "i w b", {"w": (5, 6), "b": (6,)}, {"alpha": [2.0]}),
    "a slope per element": ("PRelu", "i w", {"w": (3, 4)}, {}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_no_record_describes_is_called_by_its_operator(name: str, tmp_path: Path) -> None:
    operator, inputs, shapes, attributes = UNKNOWN[name]
    arrays = {own: array(*shape) for own, shape in shapes.items()}
    own = node(operator, inputs, "o", "here", **{key: value for key, value in attributes.items() if key != "domain"})
    if "domain" in attributes:
        own += b"\x3a" + bytes([len(attributes["domain"])]) + attributes["domain"].encode()
    (layer,) = others(tmp_path, [own], arrays).values()
    assert (layer.name, layer.kind, layer.known, set(layer.stored)) == ("here", operator, False, set(shapes))


@pytest.mark.parametrize("attributes", [{}, {"transB": 1}, {"alpha": 0.5, "beta": -2.0}, {"transB": 1, "alpha": 3.0}])
@pytest.mark.parametrize(("inputs", "outputs"), [(5, 3), (2, 7)])
def test_a_gemm_is_the_linear_layer_that_computes_the_same(
    inputs: int, outputs: int, attributes: dict[str, Any], tmp_path: Path
) -> None:
    turned, x = attributes.get("transB", 0), array(4, inputs)
    arrays = {"fc.weight": array(*((outputs, inputs) if turned else (inputs, outputs))), "fc.bias": array(outputs)}
    (layer,) = others(tmp_path, [node("Gemm", "i fc.weight fc.bias", "o", "here", **attributes)], arrays).values()
    matrix = arrays["fc.weight"].T if turned else arrays["fc.weight"]
    expected = attributes.get("alpha", 1) * (x @ matrix) + attributes.get("beta", 1) * arrays["fc.bias"]
    assert (layer.name, layer.kind, layer.known) == ("fc", "Linear", True)
    np.testing.assert_allclose(x @ layer.arrays["weight"].T + layer.arrays["bias"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_product_and_a_bias_are_one_linear_layer(tmp_path: Path, *, swapped: bool) -> None:
    arrays = {"fc.weight": array(5, 3), "fc.bias": array(3)}
    nodes = [node("MatMul", "i fc.weight", "p", "m"), node("Add", "fc.bias p" if swapped else "p fc.bias", "o", "a")]
    (layer,) = others(tmp_path, nodes, arrays).values()
    assert (layer.name, layer.kind, set(layer.stored)) == ("fc", "Linear", {"weight", "bias"})
    np.testing.assert_array_equal(layer.arrays["weight"], arrays["fc.weight"].T)


def test_a_sum_that_is_no_bias_stays_apart(tmp_path: Path) -> None:
    arrays = {"w": array(5, 3), "b": array(3), "wide": array(7, 3)}
    product = node("MatMul", "i w", "p", "m")
    for nodes in (
        [product, node("Add", "p wide", "o", "a")],  # a row per time step
        [product, node("Add", "p b", "o", "a"), node("Relu", "p", "q", "r")],  # the product is used elsewhere too
        [product, node("Mul", "p b", "o", "a")],
    ):
        own = {name: each for name, each in arrays.items() if any(f"\n{chr(len(name))}{name}".encode() in one for one in nodes)}
        found = others(tmp_path, nodes, own)
        assert set(found["m"].stored) == {"weight"}
        assert [(layer.known, layer.kind) for layer in found.values()][1:] == [(False, "Add" if b"Add" in nodes[1] else "Mul")]


def test_a_weight_may_have_another_name_and_be_turned_or_in_half_precision(tmp_path: Path) -> None:
    halves = array(3, 5).astype("f2")
    nodes = [
        node("Identity", "stored", "same"),
        node("Cast", "same", "wide", to=1),
        node("Transpose", "wide", "turned", perm=[1, 0]),
        node("MatMul", "i turned", "o", "here"),
    ]
    (layer,) = others(tmp_path, nodes, {"stored": halves}).values()
    assert (layer.kind, layer.stored["weight"].shape) == ("Linear", (3, 5))
    np.testing.assert_array_equal(layer.arrays["weight"], halves)


def test_arrays_of_one_embedding_used_twice_are_one_layer_and_tied_layers_are_two(tmp_path: Path) -> None:
    arrays = {"emb.weight": array(9, 4)}
    nodes = [
        node("Gather", "emb.weight i", "one", "g1"),
        node("Gather", "emb.weight j", "two", "g2"),
        node("Gemm", "one emb.weight", "o", "logits", transB=1),
    ]
    found = others(tmp_path, nodes, arrays)
    assert [layer.kind for layer in found.values()] == ["Embedding", "Linear"]


def test_layers_have_the_order_of_the_graph(tmp_path: Path) -> None:
    names = ["z", "b", "k", "a"]
    arrays = {f"{name}.weight": array(3, 3) for name in names}
    kinds = ["MatMul", "Einsum", "Gather", "Einsum"]
    nodes = [
        node(kind, f"{name}.weight i" if kind == "Gather" else f"i {name}.weight", f"o{name}", f"n{name}")
        for name, kind in zip(names, kinds, strict=True)
    ]
    assert list(others(tmp_path, nodes, arrays)) == names


def test_every_operator_names_a_module_of_torch_and_its_arrays_and_options() -> None:
    for operator in OPERATORS.values():
        for module in operator.modules.values():
            record = PYTORCH.kinds.get(module)
            if record is None:
                continue
            arrays = {each.name for each in record.arrays or ()}
            assert {name for name in operator.inputs if name} <= arrays, module
            if record.means:
                assert {option for option, _ in operator.options.values()} <= {option.name for option in record.options}, module


@pytest.mark.parametrize("opset", [12, 16])
def test_a_layer_normalisation_of_an_old_opset_is_one(opset: int, tmp_path: Path) -> None:
    norms = nn.ModuleDict({"one": nn.LayerNorm(3, eps=1e-3), "two": nn.LayerNorm((5, 3)), "plain": nn.LayerNorm(3, bias=False)})

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norms, self.gru, self.factor = norms, nn.GRU(3, 4), nn.Parameter(torch.randn(4))

        def forward(self, x: torch.Tensor) -> Any:
            for norm in self.norms.values():
                x = norm(x)
            return self.gru(x)[0] * self.factor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Model(), (torch.randn(2, 5, 3),), str(tmp_path / "a.onnx"), dynamo=False, opset_version=opset)
    found = open_checkpoint(tmp_path / "a.onnx").others
    kinds = {name: (other.kind, tuple(other.arrays), other.config.get("epsilon")) for name, other in found.items()}
    assert kinds.pop("")[0] == "Mul"  # a factor is no normalisation
    assert kinds == {
        "norms.one": ("LayerNorm", ("weight", "bias"), 1e-3),
        "norms.two": ("LayerNorm", ("weight", "bias"), 1e-5),
        "norms.plain": ("LayerNorm", ("weight",), 1e-5),
    }


def test_a_folded_batch_normalisation_leaves_the_convolution(tmp_path: Path) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gru, self.up, self.norm = nn.GRU(3, 4), nn.ConvTranspose1d(4, 4, 3), nn.BatchNorm1d(4)

        def forward(self, x: torch.Tensor) -> Any:
            return self.norm(self.up(self.gru(x)[0].transpose(1, 2)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(Model().eval(), (torch.randn(2, 5, 3),), str(tmp_path / "a.onnx"), dynamo=True, verbose=False)
    assert {name: other.kind for name, other in open_checkpoint(tmp_path / "a.onnx").others.items()} == {
        "up": "ConvTranspose1d"
    }
