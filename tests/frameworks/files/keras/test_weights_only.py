"""Weights without an architecture: what names and shapes show, what is assumed, and what the user can override."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from frameworks.files import open_checkpoint

H = 4


def arrays_of(gates: int, bias: tuple[int, ...] | None, inputs: int = 3) -> dict[str, Any]:
    rng = np.random.default_rng(gates)
    shapes: dict[str, tuple[int, ...]] = {"kernel:0": (inputs, gates * H), "recurrent_kernel:0": (H, gates * H)}
    if bias is not None:
        shapes["bias:0"] = bias
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def write(path: Path, layers: dict[str, dict[str, Any]], version: str) -> Path:
    """Write weights as Keras 2 did, with an attribute that lists the names of the weights in order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in layers]
        file.attrs["keras_version"] = version.encode()
        for name, weights in layers.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{weight}".encode() for weight in weights]
            for weight, array in weights.items():
                group.create_dataset(f"{name}/{weight}", data=array)
    return path


@pytest.mark.parametrize(
    ("gates", "bias", "cell", "reset_after"),
    [
        (1, (H,), "rnn", True),
        (3, (3 * H,), "gru", False),
        (3, (2, 3 * H), "gru", True),
        (3, (6 * H,), "gru", True),
        (4, (4 * H,), "lstm", True),
        (4, (8 * H,), "lstm", True),
        (4, None, "lstm", True),
    ],
)
def test_the_cell_is_recognised_by_its_shapes(tmp_path: Path, gates: int, bias: Any, cell: str, reset_after: Any) -> None:
    layer = open_checkpoint(write(tmp_path / "w.h5", {"rec": arrays_of(gates, bias)}, "2.2.4"))["rec"]
    spec = layer.spec
    assert (spec.cell, spec.input_size, spec.hidden_size, spec.bias) == (cell, 3, H, bias is not None)
    assert spec.reset_after is reset_after


@pytest.mark.parametrize(
    ("version", "gate"),
    [
        ("2.1.5", "keras2_hard_sigmoid"),
        ("2.2.5", "keras2_hard_sigmoid"),
        ("2.3.0", "sigmoid"),
        ("2.2.4-tf", "sigmoid"),
        ("3.5.0", "sigmoid"),
    ],
)
def test_the_default_of_the_version_is_assumed_with_a_warning(tmp_path: Path, version: str, gate: str) -> None:
    path = write(tmp_path / "w.h5", {"rec": arrays_of(4, (4 * H,))}, version)
    layer = open_checkpoint(path)["rec"]
    assert layer.spec.recurrent_activation == gate
    assert f"recurrent_activation={gate!r}" in layer.warnings[0]
    assert "return_sequences=False" in layer.warnings[0]


def test_cudnn_weights_leave_no_doubt_about_activations(tmp_path: Path) -> None:
    layer = open_checkpoint(write(tmp_path / "w.h5", {"rec": arrays_of(4, (8 * H,))}, "2.1.5"))["rec"]
    assert (layer.spec.activation, layer.spec.recurrent_activation) == ("tanh", "sigmoid")
    assert "activation" not in layer.warnings[0]


def test_what_the_user_says_is_not_listed_as_assumed(tmp_path: Path) -> None:
    path = write(tmp_path / "w.h5", {"one": arrays_of(4, (4 * H,)), "two": arrays_of(1, (H,))}, "2.3.0")
    said: Any = {None: {"return_sequences": True, "recurrent_activation": "relu"}, "two": {"activation": "relu"}}
    checkpoint = open_checkpoint(path, options=said)
    one, two = checkpoint["one"], checkpoint["two"]
    assert one.options is not None
    assert one.options.return_sequences
    assert (one.spec.activation, one.spec.recurrent_activation, two.spec.activation) == ("tanh", "relu", "relu")
    assert "return_sequences" not in one.warnings[0]
    assert " activation='tanh'" in one.warnings[0]
    assert " activation=" not in two.warnings[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rec": {"reset_after": False}}, "reset_after=False"),
        ({"rec": {"colour": "red"}}, "'colour'"),
        ({"rec": {"activation": "warm"}}, "'warm'"),
        ({"rec": {"return_sequences": "yes"}}, "return_sequences"),
        ({"rec": {"dropout": "some"}}, "dropout"),
        ({"other": {"activation": "relu"}}, "'other'"),
        ({"rec": "relu"}, "mapping"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, options: Any, said: str, refused: Any) -> None:
    path = write(tmp_path / "w.h5", {"rec": arrays_of(3, (2, 3 * H))}, "2.3.0")
    with refused(said):
        open_checkpoint(path, options=options)


def test_the_architecture_of_another_model_is_refused(tmp_path: Path, refused: Any) -> None:
    path = write(tmp_path / "w.h5", {"rec": arrays_of(4, (4 * H,))}, "2.2.4")
    layer = {"class_name": "LSTM", "config": {"name": "rec", "units": 5}}
    with refused("rec", "units=5"):
        open_checkpoint(path, architecture={"class_name": "Sequential", "config": [layer]})
    layer["config"] = {"name": "rec", "units": H}
    assert open_checkpoint(path, architecture={"class_name": "Sequential", "config": [layer]})["rec"].spec.hidden_size == H


def test_a_custom_function_must_be_replaced_by_an_option(tmp_path: Path, refused: Any) -> None:
    path = write(tmp_path / "w.h5", {"rec": arrays_of(1, (H,)), "two": arrays_of(1, (H,))}, "2.2.4")
    layers = [
        {"class_name": "SimpleRNN", "config": {"name": "rec", "units": H, "activation": "my_own"}},
        {"class_name": "SimpleRNN", "config": {"name": "two", "units": H}},
    ]
    model = {"class_name": "Sequential", "config": {"layers": layers}}
    checkpoint = open_checkpoint(path, architecture=model)
    assert list(checkpoint) == ["two"]
    assert "'my_own'" in checkpoint.others["rec"].warnings[0]
    with refused("rec", "is a SimpleRNN"):
        _ = checkpoint["rec"]
    said = open_checkpoint(path, architecture=model, options={"rec": {"activation": "relu"}})
    assert said["rec"].spec.activation == "relu"


def test_the_version_in_the_architecture_decides_what_it_means(tmp_path: Path) -> None:
    path = write(tmp_path / "w.h5", {"rec": arrays_of(4, (4 * H,))}, "2.1.4")
    layer = {"class_name": "LSTM", "config": {"name": "rec", "units": H, "recurrent_activation": "hard_sigmoid"}}
    old: Any = {"class_name": "Sequential", "config": {"layers": [layer]}}
    assert open_checkpoint(path, architecture=old)["rec"].spec.recurrent_activation == "keras2_hard_sigmoid"
    new = {"module": "keras", **old}
    assert open_checkpoint(path, architecture=new)["rec"].spec.recurrent_activation == "hard_sigmoid"
