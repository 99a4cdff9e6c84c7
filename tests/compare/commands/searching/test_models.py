"""The sides of `compare` are Keras files and objects of Python files; no file of theirs runs code.

Covers: `compare/commands/searching/models.py`, `compare/commands/searching/weights_file.py`, `compare/commands/compare.py`.
"""

from __future__ import annotations

import argparse
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare.commands import compare
from compare.commands.searching.models import open_model, read_models
from frameworks.errors import GatewiseError
from gatewise import copy_weights
from tests.compare.commands.searching.test_layers import Files


class Net(nn.Module):
    """A port of `model`."""

    def __init__(self, *, last: bool = True) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, 4, batch_first=True)
        self.out = nn.Linear(4, 2)
        self.step = -1 if last else 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.out(self.rnn(x)[0][:, self.step])
        return result


@pytest.fixture(scope="module")
def model() -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.Input((5, 3)), keras.layers.GRU(4, name="gru", bias_initializer="random_normal"), keras.layers.Dense(2)]
    return keras.Sequential(layers)


def port_of(model: Any, *, last: bool = True) -> Net:
    net = Net(last=last)
    copy_weights(model.layers[0], net.rnn)
    kernel, bias = model.layers[1].get_weights()
    net.out.load_state_dict({"weight": torch.from_numpy(kernel.T.copy()), "bias": torch.from_numpy(bias)})
    return net


def question(model: str, port: str, **given: Any) -> argparse.Namespace:
    plain: dict[str, Any] = {"weights": [], "inputs": None, "seed": 0, "tolerance": None, "figure": None}
    return argparse.Namespace(model=model, port=port, **{**plain, **given})


def test_a_file_is_compared_with_its_port(model: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "model.keras")
    model.save(path)
    np.savez(tmp_path / "x.npz", np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32"))
    files = Files(right=port_of(model), wrong=port_of(model, last=False))
    files.ran = [Path("a.py")]
    for name, status in (("right", 0), ("wrong", 1)):
        outcome = compare.search(question(path, f"a.py:{name}", inputs=str(tmp_path / "x.npz")), files)
        assert (outcome.status, outcome.results["passed"]) == (status, status == 0)
        assert outcome.results["port"] == f"a.py:{name}"
        assert outcome.results["rows"]
        assert outcome.render is not None
        text = outcome.render(False)  # noqa: FBT003  as the command line calls it
        assert text.startswith(f"model: {path}; port: a.py:{name}\na.py was run, in a process of its own.\n\n")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_keras_file_is_opened_with_its_weights(model: Any, tmp_path: Path, ending: str) -> None:
    model.save(tmp_path / f"model{ending}")
    x = np.ones((2, 5, 3), "float32")
    assert np.array_equal(open_model(tmp_path / f"model{ending}")(x), model(x))


class Evil:
    """An object that leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_no_file_runs_code(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    torch.save({"evil": Evil(ran)}, tmp_path / "whole.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Evil(ran)))
    layers = [keras.Input((3,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)]
    for name in ("lambda.keras", "lambda.h5"):
        keras.Sequential(layers).save(tmp_path / name)
        with pytest.raises(GatewiseError, match="must hold no code, but holds that of the Lambda layer 'lambda"):
            open_model(tmp_path / name)
    with pytest.raises(GatewiseError, match="and a model in it would be code"):
        open_model(tmp_path / "whole.pt")
    with pytest.raises(GatewiseError, match="pickle"):
        open_model(tmp_path / "plain.pkl")
    with pytest.raises(GatewiseError, match=r"must hold the weights of a\.py:net"):
        read_models("a.py:net", "a.py:net", [tmp_path / "whole.pt"], Files(net=Net()))
    assert not ran.exists()


def test_files_without_a_model_say_what_to_do(model: Any, tmp_path: Path) -> None:
    model.save_weights(tmp_path / "model.weights.h5")
    np.savez(tmp_path / "model.npz", x=np.zeros(2))
    (tmp_path / "model.keras").write_bytes(b"PK")
    for name, said in (
        ("model.weights.h5", r"holds weights alone\. Name the code that builds the model, FILE\.py:NAME, and pass this"),
        ("model.npz", r"is of the format NumPy, .* pass this file with --weights"),
        ("model.keras", "must be of a known format"),
        ("missing.keras", "must be a readable file"),
        (".", "must be a file, but is a folder"),
    ):
        with pytest.raises(GatewiseError, match=said):
            open_model(tmp_path / name)


def test_a_model_that_keras_lacks_a_class_of_is_named(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("of_a_test", name="Odd")
    class Odd(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    keras.Sequential([keras.Input((3,)), Odd(), keras.layers.Dense(2)]).save(tmp_path / "model.keras")
    assert open_model(tmp_path / "model.keras")
    del keras.saving.get_custom_objects()["of_a_test>Odd"]
    with pytest.raises(GatewiseError, match=r"opens, but Keras says: .*Odd.* Load it in a Python file that defines what Keras"):
        open_model(tmp_path / "model.keras")


def filled(module: nn.Module, value: float) -> nn.Module:
    """Fill all parameters of a module."""
    module.load_state_dict({name: torch.full_like(array, value) for name, array in module.state_dict().items()})
    return module


def same(module: nn.Module, state: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(array, state[name]) for name, array in module.state_dict().items())


def safetensors(arrays: Mapping[str, Any]) -> bytes:
    """Return a file of the format: the size of a header, the header, the bytes."""
    header, end = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": (end, end + array.nbytes)}
        end += array.nbytes
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(array.tobytes() for array in arrays.values())


@pytest.mark.parametrize("form", ["state dict", "in a dict", "whole", "safetensors", "old"])
def test_weights_of_torch_are_loaded_without_unpickling(tmp_path: Path, form: str) -> None:
    state = Net().state_dict()
    path = tmp_path / "weights.pt"
    if form == "safetensors":
        path = tmp_path / "weights.safetensors"
        path.write_bytes(safetensors({name: array.numpy() for name, array in state.items()}))
    elif form == "whole":
        net = Net()
        net.load_state_dict(state)
        torch.save(net, path)
    else:
        content = {"model": state} if form == "in a dict" else state
        torch.save(content, path, _use_new_zipfile_serialization=form != "old")
    port, expected = filled(Net(), 0), filled(Net(), 1)
    read_models("a.py:net", "a.py:twin", [path], Files(net=expected, twin=port))
    assert same(port, state)
    assert not same(expected, state)


def test_weights_go_to_the_model_of_their_framework_and_to_the_port_first(model: Any, tmp_path: Path) -> None:
    keras_file, torch_file = tmp_path / "model.weights.h5", tmp_path / "net.pt"
    model.save_weights(keras_file)
    state = Net().state_dict()
    torch.save(state, torch_file)
    for weights in ([keras_file, torch_file], [torch_file, keras_file]):
        other, net = keras.models.clone_model(model), filled(Net(), 0)
        read_models("a.py:net", "a.py:twin", weights, Files(net=net, twin=other))
        assert same(net, state)
        assert np.array_equal(other.get_weights()[0], model.get_weights()[0])
    first, second = filled(Net(), 0), filled(Net(), 0)
    read_models("a.py:net", "a.py:twin", [torch_file], Files(net=first, twin=second))
    assert same(second, state)
    assert not same(first, state)
    read_models("a.py:net", "a.py:twin", [torch_file, torch_file], Files(net=first, twin=second))
    assert same(first, state)


def test_weights_that_fit_nothing_are_refused(model: Any, tmp_path: Path) -> None:
    torch.save(Net().state_dict(), tmp_path / "net.pt")
    torch.save({"rnn.bias": torch.zeros(3)}, tmp_path / "other.pt")
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    larger = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(7), keras.layers.Dense(2)])
    for right, port, weights, said in (
        ("a.py:net", "a.py:net", "other.pt", "loading them failed with: Error.* in loading state_dict for Net: Missing key"),
        ("a.py:net", "a.py:larger", "model.weights.h5", "must hold the weights of a.py:larger, but loading them failed"),
        ("a.py:net", "a.py:net", "model.weights.h5", "must be for a Keras model that a FILE.py:NAME makes, but these are left"),
        (str(tmp_path / "model.keras"), str(tmp_path / "model.keras"), "net.pt", "but there is none"),
        ("a.py:net", "a.py:net", "missing.pt", "must be a readable file"),
    ):
        with pytest.raises(GatewiseError, match=said):
            read_models(right, port, [tmp_path / weights], Files(net=Net(), larger=larger))
