"""ONNX models, written here field by field: what is read of a recurrent node, and what is refused and why.

Covers: `frameworks/files/onnx`.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frameworks.files import Checkpoint, open_checkpoint

SIZE, H = 3, 4
GATES = {"LSTM": "iofc", "GRU": "zrh", "RNN": "i"}


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = b""
    while value > 127:
        value, low = value >> 7, value & 127
        encoded += bytes([low | 128])
    return encoded + bytes([value])


def field(number: int, value: int | float | str | bytes) -> bytes:  # noqa: PYI041  they are stored differently
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def fields(number: int, values: Any) -> bytes:
    return b"".join(field(number, value) for value in values)


def tensor(name: str, array: Any, raw: int = 9) -> bytes:
    kinds = {"float32": 1, "int8": 3, "int64": 7, "float16": 10, "float64": 11}
    shape = field(1, b"".join(varint(size) for size in array.shape)) if raw == 9 else fields(1, array.shape)
    return shape + field(2, kinds[array.dtype.name]) + field(8, name) + field(raw, array.tobytes())


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, list):
        numbers = {float: 7, int: 8, str: 9}
        return field(1, name) + fields(numbers[type(value[0])], value)
    if isinstance(value, tuple):
        return field(1, name) + field(*value)
    return field(1, name) + field({float: 2, int: 3, str: 4}[type(value)], value)


def node(kind: str, inputs: str, outputs: str = "", name: str = "", **attributes: Any) -> bytes:
    texts = fields(1, inputs.split(" ") if inputs else ()) + fields(2, outputs.split()) + field(3, name) + field(4, kind)
    return texts + b"".join(field(5, attribute(*each)) for each in attributes.items())


def graph(nodes: list[bytes], arrays: dict[str, Any]) -> bytes:
    return fields(1, nodes) + field(2, "graph") + b"".join(field(5, tensor(*each)) for each in arrays.items())


def opened(path: Path, content: bytes, options: Any = None) -> Checkpoint:
    path.write_bytes(field(1, 8) + field(2, "test") + field(7, content) + field(8, field(2, 17)))
    return open_checkpoint(path, options=options)


def weights(kind: str, ways: int = 1, dtype: str = "float32") -> dict[str, Any]:
    rng, rows = np.random.default_rng(0), len(GATES[kind]) * H
    shapes = {"W": (ways, rows, SIZE), "R": (ways, rows, H), "B": (ways, 2 * rows)}
    return {name: rng.normal(0, 0.5, shape).astype(dtype) for name, shape in shapes.items()}


def onnx_run(kind: str, arrays: dict[str, Any], way: int, x: Any, *, before: bool = False) -> Any:
    """Compute one direction by the equations of ONNX's manual. (time, batch, input) to (time, batch, hidden)."""
    w, r, b = (arrays[name][way].astype(float) for name in "WRB")
    wb, rb = np.split(b, 2)
    gates = GATES[kind]
    rows = {gate: slice(place * H, (place + 1) * H) for place, gate in enumerate(gates)}

    def sigmoid(value: Any) -> Any:
        return 1 / (1 + np.exp(-value))

    def plus(gate: str, one: Any, state: Any) -> Any:
        return one @ w[rows[gate]].T + wb[rows[gate]] + state @ r[rows[gate]].T + rb[rows[gate]]

    h, c, outputs = np.zeros((x.shape[1], H)), np.zeros((x.shape[1], H)), []
    for one in x[:: -1 if way else 1]:
        if kind == "RNN":
            h = np.tanh(plus("i", one, h))
        elif kind == "LSTM":
            i, o, f = (sigmoid(plus(gate, one, h)) for gate in "iof")
            c = f * c + i * np.tanh(plus("c", one, h))
            h = o * np.tanh(c)
        else:
            z, reset = sigmoid(plus("z", one, h)), sigmoid(plus("r", one, h))
            at = rows["h"]
            inner = (reset * h) @ r[at].T + rb[at] if before else reset * (h @ r[at].T + rb[at])
            h = (1 - z) * np.tanh(one @ w[at].T + wb[at] + inner) + z * h
        outputs.append(h)
    return np.stack(outputs[:: -1 if way else 1])


@pytest.mark.parametrize("ways", [1, 2])
@pytest.mark.parametrize(("kind", "before"), [("LSTM", False), ("GRU", False), ("GRU", True), ("RNN", False)])
def test_a_node_computes_the_equations_of_the_manual(tmp_path: Path, kind: str, ways: int, *, before: bool) -> None:
    arrays = weights(kind, ways)
    said: dict[str, Any] = {"hidden_size": H, "direction": "bidirectional" if ways == 2 else "forward"}
    if kind == "GRU" and not before:
        said["linear_before_reset"] = 1
    layer = opened(tmp_path / "a.onnx", graph([node(kind, "x W R B", "y", "rec", **said)], arrays))["rec"]
    assert layer.spec.reset_after is not before
    x = np.random.default_rng(1).normal(size=(5, 2, SIZE)).astype("float32")
    expected = np.concatenate([onnx_run(kind, arrays, way, x, before=before) for way in range(ways)], axis=-1)
    output = np.asarray(layer.forward(x.swapaxes(0, 1)).output)
    np.testing.assert_allclose(output.swapaxes(0, 1), expected, rtol=0, atol=1e-6)


def test_activations_are_named_with_their_parameters(tmp_path: Path) -> None:
    said = {"activations": ["HardSigmoid", "Elu", "Elu"], "activation_alpha": [0.2, 1.0, 1.0], "activation_beta": [0.5]}
    content = graph([node("LSTM", "x W R B", "y", "rec", **said)], weights("LSTM"))
    spec = opened(tmp_path / "a.onnx", content)["rec"].spec
    assert (spec.activation, spec.recurrent_activation) == ("elu", "keras2_hard_sigmoid")


def test_weights_may_be_constants_renamed_half_packed_or_in_a_branch(tmp_path: Path) -> None:
    arrays = weights("GRU", dtype="float16")
    constants = [node("Constant", "", name, value=(5, tensor("", array))) for name, array in arrays.items()]
    inner = graph([*constants, node("Identity", "W", "V"), node("GRU", "x V R B", "y", "rec", linear_before_reset=1)], {})
    layer = opened(tmp_path / "a.onnx", graph([node("If", "c", "y", then_branch=(6, inner))], {}))["rec"]
    assert "float16" in layer.warnings[0]
    np.testing.assert_array_equal(layer.cells[0][0].arrays["R"].read(), arrays["R"][0].astype("float32"))
    packed = fields(5, [tensor(name, array, 4) for name, array in weights("GRU").items()])
    layer = opened(tmp_path / "b.onnx", field(1, node("GRU", "x W R B", "y", "rec", linear_before_reset=1)) + packed)["rec"]
    np.testing.assert_array_equal(layer.cells[0][0].arrays["W"].read(), weights("GRU")["W"][0])


def test_other_arrays_are_listed_and_recurrent_names_recognised(tmp_path: Path) -> None:
    beside = {
        "fc.weight": np.ones((2, 3), "f4"),
        "fc.bias": np.ones(2, "f4"),
        "7": np.ones(3, "i8"),
        "q": np.ones((2, 2), "i1"),
    }
    step = {"cell.weight_ih": np.ones((12, 3), "f4"), "cell.weight_hh": np.ones((12, 4), "f4")}
    checkpoint = opened(tmp_path / "a.onnx", graph([node("GRU", "x W R B h", "y", "rec")], weights("GRU") | beside | step))
    assert list(checkpoint) == ["rec", "cell"]
    assert "no operator of the graph uses its weights" in checkpoint["cell"].warnings[0]
    # No operator uses them, and shapes do not show a kind.
    assert {name: (other.kind, other.known) for name, other in checkpoint.others.items()} == {
        "fc": ("", False),
        "": ("", False),
    }
    assert list(checkpoint.others[""].stored) == ["q"]


def test_weights_that_the_graph_slices_and_concatenates_are_assembled(tmp_path: Path) -> None:
    arrays = weights("LSTM")
    torch_s = {"cell.weight_ih": np.concatenate([arrays["W"][0][2 * H :], arrays["W"][0][: 2 * H]])}
    numbers = {"0": np.array([0]), "half": np.array([2 * H]), "end": np.array([99])}
    nodes = [
        node("Slice", "cell.weight_ih 0 half 0", "one"),
        node("Slice", "cell.weight_ih half end 0", "two"),
        node("Concat", "two one", "joined", axis=0),
        node("Unsqueeze", "joined 0", "W"),
        node("LSTM", "x W R B", "y", "rec"),
    ]
    checkpoint = opened(tmp_path / "a.onnx", graph(nodes, torch_s | numbers | {"R": arrays["R"], "B": arrays["B"]}))
    assert list(checkpoint) == ["rec"]
    assert not checkpoint.others
    np.testing.assert_array_equal(checkpoint["rec"].cells[0][0].arrays["W"].read(), arrays["W"][0])


def test_endless_concatenation_is_given_up(tmp_path: Path, refused: Any) -> None:
    import time

    for start in (np.zeros((1, 0), "f4"), np.zeros((1, 8), "f4")):
        nodes = [node("Concat", " ".join([f"v{step}"] * 8), f"v{step + 1}", axis=1) for step in range(14)]
        began = time.process_time()
        with refused("rec", "its "):
            opened(
                tmp_path / "a.onnx", graph([*nodes, node("LSTM", "x v14 R B", "y", "rec")], {**weights("LSTM"), "v0": start})
            )
        assert time.process_time() - began < 2


def test_states_and_lengths_from_the_graph_are_reported(tmp_path: Path) -> None:
    content = graph([node("LSTM", "x W R B lengths h0 c0", "y", "rec")], weights("LSTM"))
    said = " ".join(opened(tmp_path / "a.onnx", content)["rec"].warnings)
    assert "initial_h (h0) and initial_c (c0)" in said
    assert "(lengths)" in said


@pytest.mark.parametrize(
    ("kind", "inputs", "said", "reason"),
    [
        ("LSTM", "x W R B", {"direction": "sideways"}, "sideways"),
        ("LSTM", "x W R B", {"direction": ["reverse"]}, "direction"),
        ("LSTM", "x W R B", {"clip": 3.0}, "clip"),
        ("LSTM", "x W R B", {"input_forget": 1}, "input_forget"),
        ("LSTM", "x W R B    P", {}, "peepholes"),
        ("LSTM", "x W R B", {"hidden_size": 5}, "hidden_size=5"),
        ("LSTM", "x W R B", {"direction": "bidirectional"}, "has shape"),
        ("LSTM", "x W R B", {"activations": ["Sigmoid", "Tanh", "Relu"]}, "two activations"),
        ("LSTM", "x W R B", {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [0.3, 0.4]}, "0.4"),
        ("LSTM", "x W R B", {"activations": ["ScaledTanh", "Tanh", "Tanh"]}, "alpha or beta"),
        ("LSTM", "x W R B", {"activations": ["Gelu", "Tanh", "Tanh"]}, "gelu"),
        ("LSTM", "x W made B", {}, "by Gemm"),
        ("LSTM", "x W absent B", {}, "from outside"),
        ("LSTM", "x W far B", {}, "another file, 'f', which is not there"),
        ("LSTM", "x W R W", {}, "has shape"),
        ("RNN", "x W R B", {}, "has shape"),
        ("DynamicQuantizeLSTM", "x W R B", {}, "quantised"),
        ("AttnLSTM", "x W R B", {}, "not an operator of ONNX itself"),
    ],
)
def test_what_neither_framework_computes_is_refused_by_name(
    tmp_path: Path, refused: Any, kind: str, inputs: str, said: Any, reason: str
) -> None:
    peepholes = {"P": np.ones((1, 3 * H), "float32")}
    far = fields(1, (1, 16, H)) + field(2, 1) + field(8, "far") + field(14, 1) + field(13, field(1, "location") + field(2, "f"))
    nodes = [node("Gemm", "W R", "made"), node(kind, inputs, "y", "rec", **said)]
    with refused("rec", reason):
        opened(tmp_path / "a.onnx", graph(nodes, weights("LSTM") | peepholes) + field(5, far))


def test_peepholes_of_zeros_are_ignored(tmp_path: Path) -> None:
    arrays = weights("LSTM") | {"P": np.zeros((1, 3 * H), "float32")}
    assert "rec" in opened(tmp_path / "a.onnx", graph([node("LSTM", "x W R B    P", "y", "rec")], arrays))


def test_options_cannot_contradict_the_file(tmp_path: Path, refused: Any) -> None:
    content = graph([node("LSTM", "x W R B", "y", "rec")], weights("LSTM"))
    with refused("rec", "not an option of this layer"):
        opened(tmp_path / "a.onnx", content, {"rec": {"batch_first": True}})


def deep() -> bytes:
    content = b""
    for _ in range(40):
        content = graph([node("If", "c", "y", then_branch=(6, content))], {})
    return content


def lying() -> bytes:
    return field(5, fields(1, (1 << 40, 1 << 40)) + field(2, 1) + field(8, "W") + field(9, b"1234"))


def short() -> bytes:
    return field(5, fields(1, (4,)) + field(2, 1) + field(8, "W") + field(9, b"1234"))


def long_name() -> bytes:
    return field(1, field(4, "x" * (2 << 20)))


@pytest.mark.parametrize(
    "content", [deep, lying, short, long_name, lambda: b"\xff" * 12, lambda: b"\x0a\xff\x01", lambda: b"\x0b"]
)
def test_an_inconsistent_model_is_refused(tmp_path: Path, content: Any, refused: Any) -> None:
    with refused("a.onnx"):
        opened(tmp_path / "a.onnx", content())


def elsewhere(name: str, array: Any, location: str, start: int, **other: str) -> bytes:
    entries = {"location": location, "offset": str(start), "length": str(array.nbytes), **other}
    shape = fields(1, array.shape) + field(2, 1) + field(8, name) + field(14, 1)
    return shape + b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries.items())


def beside(folder: Path, location: str, **other: str) -> bytes:
    """Write the weights to a file, and return a graph that refers to the file by a name."""
    arrays = weights("LSTM")
    (folder / "a.onnx_data").write_bytes(b"".join(array.tobytes() for array in arrays.values()))
    places = np.cumsum([0, *(array.nbytes for array in arrays.values())]).tolist()
    tensors = [elsewhere(name, arrays[name], location, at, **other) for name, at in zip(arrays, places, strict=False)]
    return graph([node("LSTM", "x W R B", "y", "rec")], {}) + fields(5, tensors)


def test_elements_may_be_in_a_file_next_to_the_model(tmp_path: Path) -> None:
    layer = opened(tmp_path / "a.onnx", beside(tmp_path, "a.onnx_data"))["rec"]
    for name, array in weights("LSTM").items():
        np.testing.assert_array_equal(layer.cells[0][0].arrays[name].read(), array[0])


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("../outside/a.onnx_data", "not a file in the model's folder, and is not read"),
        ("..\\outside\\a.onnx_data", "not a file in the model's folder, and is not read"),
        ("linked/../../outside/a.onnx_data", "not a file in the model's folder, and is not read"),
        ("linked/../a.onnx_data", "not a file in the model's folder, and is not read"),
        ("{outside}/a.onnx_data", "not a file in the model's folder, and is not read"),
        ("C:/a.onnx_data", "not a file in the model's folder, and is not read"),
        ("C:a.onnx_data", "not a file in the model's folder, and is not read"),
        ("", "not a file in the model's folder, and is not read"),
        (".", "not a file in the model's folder, and is not read"),
        ("no", "not there"),
        ("linked", "not there"),
        ("dangling", "not there"),
        ("circle", "not there"),
        ("n" * 5000, "not there"),
        ("a\0b", "not there"),
    ],
)
def test_no_file_name_in_a_model_leads_out_of_its_folder(tmp_path: Path, location: str, why: str, refused: Any) -> None:
    folder, outside = folders(tmp_path)
    content = beside(outside, location.format(outside=outside))
    with refused("a.onnx", "its elements are in", why):
        opened(folder / "a.onnx", content)


@pytest.mark.parametrize("location", ["link", "./link", "linked/a.onnx_data", "linked\\a.onnx_data"])
def test_links_in_the_folder_are_followed(tmp_path: Path, location: str) -> None:
    folder, outside = folders(tmp_path)
    content = beside(outside, location)
    layer = opened(folder / "a.onnx", content)["rec"]
    for name, array in weights("LSTM").items():
        np.testing.assert_array_equal(layer.cells[0][0].arrays[name].read(), array[0])


def test_the_data_of_a_linked_model_are_next_to_the_link(tmp_path: Path, refused: Any) -> None:
    folder, blobs = folders(tmp_path)
    content = beside(blobs, "link")
    with refused("a.onnx", "its elements are in", "not there"):
        opened(blobs / "a.onnx", content)
    (folder / "model.onnx").symlink_to(blobs / "a.onnx")
    assert list(open_checkpoint(folder / "model.onnx")) == ["rec"]


def folders(path: Path) -> tuple[Path, Path]:
    """Make a folder for a model, with links into another folder."""
    folder, outside = path / "inside", path / "outside"
    folder.mkdir()
    outside.mkdir()
    links = {"link": outside / "a.onnx_data", "linked": outside, "dangling": outside / "no", "circle": folder / "circle"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder, outside


@pytest.mark.parametrize("other", [{"offset": "90000"}, {"length": "5"}, {"offset": "-1"}, {"offset": "9" * 30}])
def test_invalid_places_in_the_other_file_are_refused(tmp_path: Path, other: Any, refused: Any) -> None:
    with refused("a.onnx"):
        opened(tmp_path / "a.onnx", beside(tmp_path, "a.onnx_data", **other))


def test_two_nodes_with_the_same_name_or_none_are_two_layers(tmp_path: Path) -> None:
    nodes = [node("LSTM", "x W R B", "y", "rec"), node("LSTM", "y W R B", "z", "rec"), node("LSTM", "z W R", "u")]
    assert list(opened(tmp_path / "a.onnx", graph(nodes, weights("LSTM")))) == ["rec", "rec (2)", "u"]


def test_reversals_and_exports_in_a_graph_are_reported(tmp_path: Path, refused: Any) -> None:
    nodes = [
        node("ReverseSequence", "x l", "back"),
        node("Transpose", "back", "turned"),
        node("LSTM", "turned W R B", "y", "rec"),
    ]
    checkpoint = opened(tmp_path / "a.onnx", graph(nodes, weights("LSTM")))
    assert any("reverses its input" in warning for warning in checkpoint["rec"].warnings)
    with refused("a.onnx", "a loop over plain operators", "W (1, 16, 3)"):
        opened(
            tmp_path / "a.onnx",
            graph([node("Loop", "n", "y", body=(6, graph([node("MatMul", "x W", "z")], {})))], weights("LSTM")),
        )


def test_attributes_that_are_not_text_do_not_make_a_model_unreadable(tmp_path: Path) -> None:
    nodes = [node("Own", "x", "z", blob=(4, b"\xff\xfe")), node("LSTM", "x W R B", "y", "rec")]
    assert list(opened(tmp_path / "a.onnx", graph(nodes, weights("LSTM")))) == ["rec"]


def test_recursive_functions_are_given_up(tmp_path: Path, refused: Any) -> None:
    calls = fields(7, [node("F", "x", "y"), node("F", "x", "y")])
    content = graph([node("F", "x", "y")], {})
    (tmp_path / "a.onnx").write_bytes(field(1, 8) + field(7, content) + field(25, field(1, "F") + calls))
    with refused("a.onnx", "deep"):
        open_checkpoint(tmp_path / "a.onnx")
