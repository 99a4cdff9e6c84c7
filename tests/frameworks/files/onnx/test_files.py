"""Recurrent nodes of ONNX files, written here byte by byte, compute what torch computes with the same weights.

Covers: `frameworks/files/onnx`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks import adapt
from frameworks.files import open_checkpoint

SIZE, H = 3, 4
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
"""The position in torch of each ONNX gate: input, output, forget, candidate; update, reset, candidate."""


def varint(value: int) -> bytes:
    encoded = b""
    value &= (1 << 64) - 1
    while value >= 0x80:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def one(number: int, value: Any) -> bytes:
    """Encode a field: a whole number, text, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, array: Any, *, packed: bool = False) -> bytes:
    data = one(4, array.astype("<f4").tobytes()) if packed else one(9, array.astype("<f4").tobytes())
    return b"".join(one(1, size) for size in array.shape) + one(2, 1) + one(8, name) + data


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, int):
        return one(5, one(1, name) + one(3, value))
    if isinstance(value, str):
        return one(5, one(1, name) + one(4, value))
    if isinstance(value, list) and isinstance(value[0], float):
        return one(5, one(1, name) + b"".join(varint(7 << 3 | 5) + struct.pack("<f", each) for each in value))
    return one(5, one(1, name) + b"".join(one(9, each) for each in value))


def model(kind: str, arrays: dict[str, Any], inputs: tuple[str, ...] = ("x", "W", "R", "B"), **attributes: Any) -> bytes:
    node = b"".join(one(1, name) for name in inputs) + one(2, "y") + one(3, "rec") + one(4, kind)
    node += b"".join(attribute(name, value) for name, value in attributes.items())
    graph = one(1, node) + b"".join(one(5, tensor(name, array, packed=name == "R")) for name, array in arrays.items())
    return one(1, 8) + one(2, "test") + one(7, graph)


def onnx_arrays(module: Any, kind: str, ways: int) -> dict[str, Any]:
    """Return a torch module's weights in ONNX's layout: directions along the first axis, the two biases concatenated."""

    def regated(name: str, way: int) -> Any:
        blocks = np.split(getattr(module, f"{name}_l0{'_reverse' * way}").detach().numpy(), len(ORDER[kind]))
        return np.concatenate([blocks[gate] for gate in ORDER[kind]])

    return {
        "W": np.stack([regated("weight_ih", way) for way in range(ways)]),
        "R": np.stack([regated("weight_hh", way) for way in range(ways)]),
        "B": np.stack([np.concatenate([regated("bias_ih", way), regated("bias_hh", way)]) for way in range(ways)]),
    }


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_node_is_read_as_the_module_with_its_weights(tmp_path: Path, randomise: Any, kind: str, ways: int) -> None:
    module = randomise(getattr(nn, kind)(SIZE, H, bidirectional=ways == 2))
    attributes: dict[str, Any] = {"hidden_size": H, "direction": "bidirectional" if ways == 2 else "forward"}
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    (tmp_path / "model.onnx").write_bytes(model(kind, onnx_arrays(module, kind, ways), **attributes))
    stored = open_checkpoint(tmp_path / "model.onnx")["rec"]
    assert stored.spec == adapt(module).spec
    for (_, _, actual), (_, _, wanted) in zip(stored.weights, adapt(module).get_weights(), strict=True):
        for (part, array), (_, expected) in zip(actual.arrays(), wanted.arrays(), strict=True):
            np.testing.assert_array_equal(array, expected, err_msg=part)
    x = torch.randn(5, 2, SIZE)
    torch.testing.assert_close(stored.emulate("pytorch")(x)[0], module(x)[0])


def test_a_gru_that_resets_before_the_product_sums_its_biases_and_becomes_a_keras_layer(tmp_path: Path, refused: Any) -> None:
    rng = np.random.default_rng(0)
    shapes = {"W": (1, 3 * H, SIZE), "R": (1, 3 * H, H), "B": (1, 6 * H)}
    arrays = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    (tmp_path / "model.onnx").write_bytes(model("GRU", arrays, activations=["HardSigmoid", "Relu"]))
    stored = open_checkpoint(tmp_path / "model.onnx")["rec"]
    spec = stored.spec
    assert (spec.reset_after, spec.recurrent_activation, spec.activation) == (False, "keras2_hard_sigmoid", "relu")
    weights = stored.weights.layers[0][0]
    total = (arrays["B"][0, : 3 * H] + arrays["B"][0, 3 * H :]).reshape(3, H)
    np.testing.assert_array_equal(np.asarray(weights.in_order(("update", "reset", "candidate")).bias), total)
    with refused("activation"):
        stored.convert("pytorch")


W, R, B = np.ones((1, 16, SIZE)), np.ones((1, 16, H)), np.ones((1, 32))


@pytest.mark.parametrize(
    ("kind", "attributes", "inputs", "said"),
    [
        ("DynamicQuantizeLSTM", {}, ("x", "W", "R", "B"), "quantised"),
        ("LSTM", {"direction": "sideways"}, ("x", "W", "R", "B"), "sideways"),
        ("LSTM", {"input_forget": 1}, ("x", "W", "R", "B"), "input_forget"),
        ("LSTM", {}, ("x", "W", "R", "B", "", "", "", "R"), "peepholes"),
        ("LSTM", {}, ("x", "W", "elsewhere", "B"), "computed in the graph"),
        ("GRU", {}, ("x", "W", "R", "B"), "has shape"),
        ("LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]}, ("x", "W", "R", "B"), "two activations"),
        ("LSTM", {"activations": ["ScaledTanh", "Tanh", "Tanh"]}, ("x", "W", "R", "B"), "alpha or beta"),
        ("LSTM", {"activations": ["Tanh"]}, ("x", "W", "R", "B"), "too few"),
    ],
)
def test_features_that_neither_framework_has_are_refused_by_name(
    tmp_path: Path, kind: str, attributes: Any, inputs: Any, said: str, refused: Any
) -> None:
    (tmp_path / "model.onnx").write_bytes(model(kind, {"W": W, "R": R, "B": B}, inputs, **attributes))
    with refused("rec", said):
        open_checkpoint(tmp_path / "model.onnx")


def test_initial_states_of_the_graph_are_reported_and_false_shapes_refused(tmp_path: Path, refused: Any) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(model("LSTM", {"W": W, "R": R, "B": B}, ("x", "W", "R", "B", "", "h", "c")))
    assert "initial states" in open_checkpoint(path)["rec"].warnings[0]
    content = bytearray(path.read_bytes())
    fixed = content.replace(one(1, 16) + one(1, H), bytes([1 << 3 | 5]) + bytes(3))  # a size as a fixed-width number
    path.write_bytes(fixed)
    with refused("model.onnx"):
        open_checkpoint(path)
    at = content.index(one(1, 16) + one(1, H))
    content[at + 1] = 100
    path.write_bytes(content)
    with refused("model.onnx"):
        open_checkpoint(path)


def node_of(kind: str, inputs: tuple[str, ...], output: str, **attributes: Any) -> bytes:
    encoded = b"".join(one(1, name) for name in inputs) + one(2, output) + one(4, kind)
    return one(1, encoded + b"".join(attribute(name, value) for name, value in attributes.items()))


def whole(name: str, number: int) -> bytes:
    return one(5, one(1, 1) + one(2, 7) + one(8, name) + one(9, struct.pack("<q", number)))


def test_weights_that_the_graph_slices_and_concatenates_are_assembled(tmp_path: Path, randomise: Any) -> None:
    module = randomise(nn.RNN(SIZE, H))
    arrays = onnx_arrays(module, "RNN", 1)
    moved = {"flat": arrays["W"][0], "R": arrays["R"], "B": arrays["B"]}
    nodes = [
        *(whole(name, number) for name, number in (("zero", 0), ("half", H // 2), ("end", H))),
        node_of("Slice", ("flat", "zero", "half", "zero"), "first"),
        node_of("Slice", ("flat", "half", "end", "zero"), "second"),
        node_of("Concat", ("first", "second"), "joined", axis=0),
        node_of("Unsqueeze", ("joined", "zero"), "W"),
        *(one(5, tensor(name, array)) for name, array in moved.items()),
        node_of("RNN", ("x", "W", "R", "B"), "y"),
    ]
    (tmp_path / "model.onnx").write_bytes(one(1, 8) + one(7, b"".join(nodes)))
    (stored,) = open_checkpoint(tmp_path / "model.onnx").values()
    np.testing.assert_array_equal(stored.weights.layers[0][0].kernel[0], arrays["W"][0].T)
