"""A Keras model and its port made by hand, in files of several formats, with every mistake that verify must see.

Covers: `compare/checkpoints`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
import torch
from torch import nn

from compare.checkpoints.verification import verify
from compare.checkpoints.verification_text import render
from compare.checkpoints.verified import Row, Verification
from frameworks import copy_weights, emulate
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint

NAMES = ("emb", "conv", "bn", "rnn", "bi", "ln", "fc")
OTHER_NAMES = ("words", "c0", "norm", "encoder", "decoder", "final", "head")


class Net(nn.Module):
    """The port, with the right weights."""

    def __init__(self, model: Any, names: tuple[str, ...] = NAMES) -> None:
        super().__init__()
        modules = (
            nn.Embedding(11, 6),
            nn.Conv1d(6, 6, 3),
            nn.BatchNorm1d(6, eps=1e-3, momentum=0.01),
            nn.LSTM(6, 4, num_layers=2, batch_first=True),
            nn.GRU(4, 3, bidirectional=True, batch_first=True),
            nn.LayerNorm(6, eps=1e-3),
            nn.Linear(6, 6),
        )
        for name, module in zip(names, modules, strict=True):
            self.add_module(name, module)
        embedding, conv, norm, lstm, gru, last, dense = modules
        arrays = {layer.name: [torch.tensor(array) for array in layer.get_weights()] for layer in model.layers}
        with torch.no_grad():
            embedding.weight.copy_(arrays["emb"][0])
            conv.weight.copy_(arrays["conv"][0].permute(2, 1, 0))
            conv.bias.copy_(arrays["conv"][1])  # type: ignore[union-attr]
            own = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
            for target, array in zip(own, arrays["bn"], strict=True):
                target.copy_(array)  # type: ignore[union-attr]
            last.weight.copy_(arrays["ln"][0])
            last.bias.copy_(arrays["ln"][1])
            dense.weight.copy_(arrays["fc"][0].T)
            dense.bias.copy_(arrays["fc"][1])
        copy_weights([model.get_layer("lstm_1"), model.get_layer("lstm_2")], lstm)
        copy_weights(model.get_layer("bi"), gru)


@pytest.fixture(scope="module")
def model() -> Any:
    layers = keras.layers
    whole = keras.Sequential(
        [
            keras.Input((7,), dtype="int32"),
            layers.Embedding(11, 6, name="emb"),
            layers.Conv1D(6, 3, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.LSTM(4, return_sequences=True, name="lstm_1"),
            layers.LSTM(4, return_sequences=True, name="lstm_2"),
            layers.Bidirectional(layers.GRU(3, return_sequences=True), name="bi"),
            layers.LayerNormalization(name="ln"),
            layers.Dense(6, name="fc"),
        ]
    )
    rng = np.random.default_rng(1)
    whole.set_weights([rng.uniform(0.1, 0.9, array.shape) for array in whole.get_weights()])
    return whole


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("verified")
    model.save(path / "model.keras")
    model.save_weights(path / "model.weights.h5")
    return path


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return open_checkpoint(folder / "model.keras")


def compare(checkpoint: Checkpoint, port: Any, *, whole: bool = False, prefix: str = "") -> Verification:
    """Compare the Keras file with a state_dict of the port, or with the pickled module."""
    state = {f"{prefix}{name}": tensor for name, tensor in port.state_dict().items()}
    path = checkpoint.path.with_name("port.pt")
    torch.save(port if whole else state, path)
    return verify(checkpoint, path)


def only_wrong(result: Verification) -> Row:
    (row,) = [row for row in result.rows if row.verdict != "same"]
    assert result.status == 1
    return row


@pytest.mark.parametrize("names", [NAMES, OTHER_NAMES])
@pytest.mark.parametrize("form", [{}, {"whole": True}, {"prefix": "model."}])
def test_a_right_port_by_hand_is_the_same_under_any_names(
    names: tuple[str, ...], form: Any, model: Any, checkpoint: Checkpoint
) -> None:
    result = compare(checkpoint, Net(model, names), **form)
    assert result.status == 0, render(result)
    assert len(result.rows) == len(NAMES)
    stack = result.rows[0]
    assert (stack.expected, stack.actual) == (("lstm_1", "lstm_2"), (f"{form.get('prefix', '')}{names[3]}",))


def test_the_order_of_the_files_does_not_matter(model: Any, folder: Path) -> None:
    torch.save(Net(model, OTHER_NAMES), folder / "right.pt")
    result = verify(open_checkpoint(folder / "right.pt"), folder / "model.keras")
    assert (result.status, render(result).splitlines()[-1]) == (0, "All 7 are the same.")


def zero_embedding(net: Any) -> None:
    net.emb.weight.zero_()


def untransposed_dense(net: Any) -> None:
    net.fc.weight.copy_(net.fc.weight.T.clone())


def exchanged_statistics(net: Any) -> None:
    mean = net.bn.running_mean.clone()
    net.bn.running_mean.copy_(net.bn.running_var)
    net.bn.running_var.copy_(mean)


def reversed_kernel(net: Any) -> None:
    net.conv.weight.copy_(net.conv.weight.flip(2))


def lost_bias(net: Any) -> None:
    net.fc.bias = None


def changed_layer(net: Any) -> None:
    net.rnn.weight_hh_l1[4:8] += 0.1


def exchanged_directions(net: Any) -> None:
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        one, other = getattr(net.bi, name), getattr(net.bi, f"{name}_reverse")
        kept = one.clone()
        one.copy_(other)
        other.copy_(kept)


@pytest.mark.parametrize(
    ("mistake", "layer", "cause"),
    [
        (zero_embedding, "emb", "embeddings is 0."),
        (untransposed_dense, "fc", "kernel is transposed"),
        (exchanged_statistics, "bn", "moving mean is 0."),
        (reversed_kernel, "conv", "kernel is 0."),
        (lost_bias, "fc", "bias is 0."),
        (changed_layer, "lstm_1,lstm_2 = rnn", "recurrent kernel is 0.1 off at layer 1, gate forget"),
        (exchanged_directions, "bi", "at the forward direction, gate"),
    ],
)
def test_a_mistake_is_found_in_its_layer_alone(
    mistake: Callable[[Any], None], layer: str, cause: str, model: Any, checkpoint: Checkpoint
) -> None:
    net = Net(model)
    with torch.no_grad():
        mistake(net)
    row = only_wrong(compare(checkpoint, net))
    assert row.name == layer
    assert cause in row.cause


@pytest.mark.parametrize(
    ("module", "option", "value", "cause"),
    [
        ("bn", "eps", 1e-5, "epsilon is 1e-05, not 0.001"),
        ("bn", "momentum", 0.1, "momentum is 0.9, not 0.99"),
        ("ln", "eps", 1e-5, "epsilon is 1e-05, not 0.001"),
        ("conv", "dilation", (2,), "dilation_rate is 2, not 1"),
    ],
)
def test_an_option_is_compared_where_the_file_states_it_and_named_where_it_does_not(
    module: str, option: str, value: Any, cause: str, model: Any, checkpoint: Checkpoint
) -> None:
    net = Net(model)
    setattr(getattr(net, module), option, value)
    row = only_wrong(compare(checkpoint, net, whole=True))
    assert (row.name, row.cause) == (module, cause)
    assert compare(checkpoint, net).status == 0  # a state_dict states none of them


def test_a_padding_that_keras_lacks_is_named_as_not_compared(model: Any, checkpoint: Checkpoint) -> None:
    net = Net(model)
    net.get_submodule("conv").padding = (2,)  # type: ignore[assignment]
    result = compare(checkpoint, net, whole=True)
    assert (result.status, result.not_compared) == (3, ("conv",))


def recurrent_pair(layer: Any, module: Any, folder: Path) -> tuple[Path, Path, Path]:
    """Save a Keras layer, and a module with its weights, whole and as a state_dict."""
    whole = keras.Sequential([keras.Input((7, 3)), layer])
    rng = np.random.default_rng(3)
    whole.set_weights([rng.uniform(-0.6, 0.6, array.shape) for array in whole.get_weights()])
    if module is None:
        module = emulate(layer)
    else:
        like = emulate(layer).state_dict()
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                parameter.copy_(like.get(name, torch.zeros_like(parameter)))
    net = nn.ModuleDict({"rnn": module})
    paths = folder / "layer.keras", folder / "state.pt", folder / "whole.pt"
    whole.save(paths[0])
    torch.save(net.state_dict(), paths[1])
    torch.save(net, paths[2])
    return paths


def test_an_activation_that_a_state_dict_cannot_state_is_named(tmp_path: Path) -> None:
    layers = keras.layers
    for layer, module in (
        (layers.LSTM(4, activation="relu", name="rnn"), None),
        (layers.SimpleRNN(4, activation="relu", name="rnn"), nn.RNN(3, 4, nonlinearity="relu")),
    ):
        expected, state, _ = recurrent_pair(layer, module, tmp_path)
        result = verify(open_checkpoint(expected), state)
        assert result.status == 0
        assert [(each.option, each.value, each.by) for each in result.rows[0].unstated] == [("activation", "relu", "actual")]
        last = render(result).splitlines()[-1]
        assert "state.pt does not state activation='relu' of rnn." in last
        assert "All" not in last


@pytest.mark.parametrize(
    ("options", "module", "cause"),
    [
        ({"class_name": "LSTM", "activation": "relu"}, nn.LSTM(3, 4), "activation is tanh, not relu"),
        ({"class_name": "SimpleRNN", "activation": "relu"}, nn.RNN(3, 4), "activation is tanh, not relu"),
        (
            {"class_name": "LSTM", "recurrent_activation": "hard_sigmoid"},
            nn.LSTM(3, 4),
            "recurrent_activation is sigmoid, not hard_sigmoid",
        ),
        ({"class_name": "GRU", "reset_after": False}, nn.GRU(3, 4), "reset_after is True, not False"),
    ],
)
def test_a_module_states_another_option(options: dict[str, Any], module: Any, cause: str, tmp_path: Path) -> None:
    rest = {name: value for name, value in options.items() if name != "class_name"}
    layer = getattr(keras.layers, options["class_name"])(4, name="rnn", **rest)
    expected, state, whole = recurrent_pair(layer, module, tmp_path)
    row = only_wrong(verify(open_checkpoint(expected), whole))
    assert row.cause.startswith(f"{cause}; output is")
    if "reset_after" in options:  # whose biases show it in any file
        assert only_wrong(verify(open_checkpoint(expected), state)).cause.startswith(cause)


def test_flags_that_no_module_has_are_named(tmp_path: Path) -> None:
    expected, state, _ = recurrent_pair(keras.layers.GRU(4, go_backwards=True, name="rnn"), nn.GRU(3, 4), tmp_path)
    result = verify(open_checkpoint(expected), state)
    assert result.status == 0
    assert "state.pt does not state go_backwards=True of rnn." in render(result).splitlines()[-1]


def test_weights_alone_state_no_options_and_a_keras_file_does(checkpoint: Checkpoint, folder: Path, tmp_path: Path) -> None:
    result = verify(checkpoint, folder / "model.weights.h5")
    assert result.status == 0
    assert "return_sequences=True of lstm_1, lstm_2, bi" in render(result).splitlines()[-1]
    save_checkpoint(tmp_path / "port.safetensors", checkpoint)
    assert render(verify(checkpoint, tmp_path / "port.safetensors")).splitlines()[-1] == "All 8 are the same."


def test_layers_without_weights_in_only_one_file_are_named_and_change_nothing(tmp_path: Path) -> None:
    layers = keras.layers
    whole = keras.Sequential(
        [keras.Input((7, 3)), layers.Masking(), layers.GRU(4, name="rnn"), layers.Dropout(0.5, name="drop")]
    )
    whole.save(tmp_path / "model.keras")
    checkpoint = open_checkpoint(tmp_path / "model.keras")
    module = nn.ModuleDict({"rnn": checkpoint["rnn"].convert()})
    torch.save(module.state_dict(), tmp_path / "port.pt")
    result = verify(checkpoint, tmp_path / "port.pt")
    assert (result.status, set(result.without_weights)) == (0, {"masking", "drop"})
    assert "Only in one of the files, without weights:" in render(result).splitlines()[-1]


def test_a_projected_lstm_is_compared_by_its_arrays(tmp_path: Path) -> None:
    module = nn.ModuleDict({"rnn": nn.LSTM(3, 5, proj_size=2, num_layers=2), "gru": nn.GRU(3, 4)})
    torch.save(module.state_dict(), tmp_path / "one.pt")
    assert verify(open_checkpoint(tmp_path / "one.pt"), tmp_path / "one.pt").status == 0
    with torch.no_grad():
        module.get_parameter("rnn.weight_hr_l1")[0, 1] += 0.5
    torch.save(module.state_dict(), tmp_path / "other.pt")
    row = only_wrong(verify(open_checkpoint(tmp_path / "one.pt"), tmp_path / "other.pt"))
    assert row.cause.startswith("layer 1: weight hr is 0.5 off at row 0, column 1")


def test_the_state_of_training_is_neither_the_same_nor_missing(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6, 5)), keras.layers.LSTM(4, name="rnn")])
    model.compile("adam", "mse")
    model.fit(np.zeros((2, 6, 5)), np.zeros((2, 4)), verbose=0)
    model.save(tmp_path / "trained.keras")
    save_checkpoint(tmp_path / "port.safetensors", open_checkpoint(tmp_path / "trained.keras"))
    torch.save({"model": {f"rnn.{n}": t for n, t in nn.LSTM(5, 4).state_dict().items()}, "callbacks": {}}, tmp_path / "a.pt")
    for file in ("trained.keras", "port.safetensors"):
        result = verify(open_checkpoint(tmp_path / "trained.keras"), tmp_path / file)
        assert [row.name for row in result.rows] == ["rnn"]
        assert (result.status, result.training) == (0, ("optimizer",))
        assert render(result).endswith("All 1 are the same. The state of training is not compared: optimizer.")
    result = verify(open_checkpoint(tmp_path / "trained.keras"), tmp_path / "a.pt")
    assert (result.status, [row.verdict for row in result.rows]) == (1, ["differs"])


def test_an_option_that_a_state_dict_does_not_state_is_the_reason(tmp_path: Path) -> None:
    model = nn.ModuleDict({"rnn": nn.LSTM(3, 4), "conv": nn.Conv1d(4, 5, 3, padding=1)})
    torch.save(model, tmp_path / "a.pt")
    torch.save(model.state_dict(), tmp_path / "b.pt")
    (row,) = (row for row in verify(open_checkpoint(tmp_path / "a.pt"), tmp_path / "b.pt").rows if row.name == "conv")
    assert (row.verdict, row.cause) == ("not compared", "padding=(1,), which the other file does not state")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize(("scale", "status"), [(1.2, 0), (1.1, 1)])
def test_hard_sigmoid_of_keras_2_is_todays_behind_a_rescaling(scale: float, status: int, tmp_path: Path) -> None:
    layers = tf_keras.layers
    old = tf_keras.Sequential(
        [layers.Input((5, 4)), layers.SimpleRNN(3, name="d"), layers.Activation("hard_sigmoid", name="act")]
    )
    old.save(tmp_path / "old.h5")
    new = keras.Sequential(
        [
            keras.Input((5, 4)),
            keras.layers.SimpleRNN(3, name="d"),
            keras.layers.Rescaling(scale, name="act_rescaled"),
            keras.layers.Activation("hard_sigmoid", name="act"),
        ]
    )
    new.set_weights(old.get_weights())
    new.save(tmp_path / "new.keras")
    x = np.linspace(-4, 4, 60, dtype="float32").reshape(3, 5, 4)
    assert bool(np.abs(np.asarray(new(x)) - np.asarray(old(x))).max() < 1e-6) == (status == 0)
    verification = verify(open_checkpoint(tmp_path / "old.h5"), tmp_path / "new.keras")
    assert (verification.status, "act_rescaled" in verification.without_weights) == (status, status == 1)
