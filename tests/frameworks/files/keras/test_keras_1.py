"""Files of Keras 1, with one array per gate and its own names, are read as what Keras 1 computed.

The expected values are computed here from the equations of Keras 1.2: keras/layers/recurrent.py (`step`).

Covers: `frameworks/files/keras/keras1.py`, `frameworks/files/keras/cells.py`, `frameworks/layouts.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from frameworks.files import Checkpoint, open_checkpoint

Array = npt.NDArray[Any]
Arrays = Mapping[str, Array]
INPUT, HIDDEN, BATCH, TIME = 3, 4, 2, 5
KEYS = {"LSTM": "icfo", "GRU": "zrh"}
"""The gates in the order in which Keras 1 wrote them."""


def hard_sigmoid(x: Array) -> Array:
    return np.clip(0.2 * x + 0.5, 0, 1)


def lstm(p: Arrays, x: Array) -> Array:
    h = c = np.zeros((len(x), HIDDEN))
    outputs = []
    for t in range(x.shape[1]):
        z = {gate: x[:, t] @ p[f"W_{gate}"] + p[f"b_{gate}"] + h @ p[f"U_{gate}"] for gate in "icfo"}
        c = hard_sigmoid(z["f"]) * c + hard_sigmoid(z["i"]) * np.tanh(z["c"])
        h = hard_sigmoid(z["o"]) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def gru(p: Arrays, x: Array) -> Array:
    h = np.zeros((len(x), HIDDEN))
    outputs = []
    for t in range(x.shape[1]):
        reads = {gate: x[:, t] @ p[f"W_{gate}"] + p[f"b_{gate}"] for gate in "zrh"}
        z, r = (hard_sigmoid(reads[gate] + h @ p[f"U_{gate}"]) for gate in "zr")
        h = z * h + (1 - z) * np.tanh(reads["h"] + (r * h) @ p["U_h"])
        outputs.append(h)
    return np.stack(outputs, 1)


def simple_rnn(p: Arrays, x: Array) -> Array:
    h = np.zeros((len(x), HIDDEN))
    outputs = []
    for t in range(x.shape[1]):
        h = np.tanh(x[:, t] @ p["W"] + p["b"] + h @ p["U"])
        outputs.append(h)
    return np.stack(outputs, 1)


EQUATIONS: dict[str, Callable[[Arrays, Array], Array]] = {"LSTM": lstm, "GRU": gru, "SimpleRNN": simple_rnn}


def draw(kind: str, seed: int, inputs: int = INPUT) -> dict[str, Array]:
    """Return the arrays of a layer in the order in which Keras 1 wrote them."""
    rng, shapes = np.random.default_rng(seed), {"W": (inputs, HIDDEN), "U": (HIDDEN, HIDDEN), "b": (HIDDEN,)}
    keys = [f"_{key}" for key in KEYS[kind]] if kind in KEYS else [""]
    return {f"{part}{key}": rng.normal(size=shape).astype("float32") for key in keys for part, shape in shapes.items()}


def joined(kind: str, arrays: Arrays) -> dict[str, Array]:
    """Return the arrays as consume_less="gpu" stored them: the gates of an LSTM in the order i, f, c, o."""
    keys = {"LSTM": "ifco", "GRU": "zrh"}[kind]
    return {part: np.concatenate([arrays[f"{part}_{key}"] for key in keys], axis=-1) for part in "WUb"}


def config(name: str, kind: str, **more: Any) -> dict[str, Any]:
    gates = {"inner_activation": "hard_sigmoid"} if kind in KEYS else {}
    return {
        "class_name": kind,
        "config": {
            "name": name,
            "output_dim": HIDDEN,
            "activation": "tanh",
            "return_sequences": True,
            "go_backwards": False,
            "stateful": False,
            "consume_less": "cpu",
            "dropout_W": 0.25,
            "dropout_U": 0.5,
            **gates,
            **more,
        },
    }


def write(
    path: Path,
    layers: list[dict[str, Any]] | None,
    weights: Mapping[str, Arrays],
    version: str = "1.2.2",
) -> Checkpoint:
    with h5py.File(path, "w") as file:
        root = file
        if layers is not None:
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers}).encode()
            root = file.create_group("model_weights")
        if version:
            file.attrs["keras_version"] = root.attrs["keras_version"] = version.encode()
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, arrays in weights.items():
            group = root.create_group(layer)
            names = [name if "lstm" in name else f"{layer}_{name}" for name in arrays]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, arrays.values(), strict=True):
                group.create_dataset(name, data=array)
    return open_checkpoint(path)


def inputs() -> Array:
    return np.random.default_rng(9).normal(size=(BATCH, TIME, INPUT)).astype("float32")


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize("kind", EQUATIONS)
def test_a_layer_computes_what_keras_1_computed(kind: str, described: bool, tmp_path: Path) -> None:  # noqa: FBT001  a case
    arrays = draw(kind, seed=1)
    checkpoint = write(tmp_path / "old.h5", [config("rec", kind)] if described else None, {"rec": arrays})
    layer, expected = checkpoint["rec"], EQUATIONS[kind](arrays, inputs())
    np.testing.assert_allclose(np.asarray(layer.forward(inputs()).output), expected, atol=1e-6)
    assert (layer.spec.cell, layer.spec.reset_after) == ({"SimpleRNN": "rnn"}.get(kind, kind.lower()), kind != "GRU")
    if described:
        options: Any = layer.options
        assert (options.dropout, options.recurrent_dropout, options.return_sequences) == (0.25, 0.5, True)
    else:
        assert "assumed" in layer.warnings[0]
    for gate in range(1, len(arrays) // 3):  # the control: gates in another place are noticed
        values = list(arrays.values())
        wrong = dict(zip(arrays, values[3 * gate :] + values[: 3 * gate], strict=True))
        assert np.abs(EQUATIONS[kind](wrong, inputs()) - expected).max() > 1e-2


@pytest.mark.parametrize("kind", KEYS)
def test_joined_gates_are_read_as_separate_ones(kind: str, tmp_path: Path) -> None:
    arrays = draw(kind, seed=2)
    layers = [config("rec", kind, consume_less="gpu")]
    for described in (layers, None):
        layer = write(tmp_path / "old.h5", described, {"rec": joined(kind, arrays)})["rec"]
        np.testing.assert_allclose(np.asarray(layer.forward(inputs()).output), EQUATIONS[kind](arrays, inputs()), atol=1e-6)


@pytest.mark.parametrize("described", [True, False])
def test_a_bidirectional_layer_and_one_for_each_step_of_another_axis_are_read(tmp_path: Path, described: bool) -> None:  # noqa: FBT001
    ways = {way: draw("LSTM", seed) for seed, way in enumerate(("forward", "backward"))}
    both = {f"{way}_lstm_1_{name}": array for way, arrays in ways.items() for name, array in arrays.items()}
    each = draw("GRU", 5, inputs=6)
    layers = [
        {"class_name": "Bidirectional", "config": {"name": "both", "merge_mode": "sum", "layer": config("lstm_1", "LSTM")}},
        {"class_name": "TimeDistributed", "config": {"name": "each", "layer": config("gru_1", "GRU")}},
    ]
    checkpoint = write(tmp_path / "old.h5", layers if described else None, {"both": both, "each": each})
    output = np.asarray(checkpoint["both"].forward(inputs()).output)
    expected = lstm(ways["forward"], inputs()), lstm(ways["backward"], inputs()[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(output, np.concatenate(expected, -1), atol=1e-6)
    if described:
        assert checkpoint["both"].options is not None
        assert checkpoint["both"].options.merge_mode == "sum"
        assert any("TimeDistributed" in warning for warning in checkpoint["each"].warnings)
    np.testing.assert_array_equal(checkpoint["each"].weights.layers[0][0].kernel[1], each["W_r"])


def test_other_layers_have_the_names_of_keras_2(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    words = {"W": rng.normal(size=(9, INPUT)).astype("float32")}
    dense = {"W": rng.normal(size=(HIDDEN, 2)).astype("float32"), "b": np.ones(2, "float32")}
    norm = {name: rng.normal(size=2).astype("float32") for name in ("gamma", "beta", "running_mean", "running_std")}
    layers = [
        {"class_name": "Embedding", "config": {"name": "words", "input_dim": 9, "output_dim": INPUT, "mask_zero": True}},
        config("rec", "LSTM"),
        {"class_name": "Dense", "config": {"name": "out", "output_dim": 2, "bias": True, "activation": "hard_sigmoid"}},
        {"class_name": "BatchNormalization", "config": {"name": "bn", "mode": 0, "axis": -1, "momentum": 0.9, "epsilon": 0.01}},
        {"class_name": "BatchNormalization", "config": {"name": "own", "mode": 1, "axis": -1, "momentum": 0.9}},
    ]
    weights = {"words": words, "rec": draw("LSTM", 1), "out": dense, "bn": norm, "own": norm}
    checkpoint = write(tmp_path / "old.h5", layers, weights)
    assert checkpoint["rec"].mask == "words (mask_zero)"
    assert {name: (other.kind, list(other.stored)) for name, other in checkpoint.others.items() if other.known} == {
        "words": ("Embedding", ["embeddings"]),
        "out": ("Dense", ["kernel", "bias"]),
        "bn": ("BatchNormalization", ["gamma", "beta", "moving_mean", "moving_variance"]),
    }
    assert checkpoint.others["out"].config["activation"] == "keras2_hard_sigmoid"
    assert checkpoint.others["own"].kind == "BatchNormalization of mode 1"


def test_an_array_of_a_wrong_shape_or_name_is_refused(tmp_path: Path, refused: Any) -> None:
    arrays = draw("LSTM", seed=6)
    for change in ({"W_f": arrays["W_f"][:-1]}, {"b_f": arrays["b_f"][:-1]}):
        with refused("the weights of rec must fit LSTM"):
            write(tmp_path / "old.h5", [config("rec", "LSTM")], {"rec": {**arrays, **change}})
    del arrays["b_o"]
    with refused("rec"):
        write(tmp_path / "old.h5", [config("rec", "LSTM")], {"rec": arrays})
