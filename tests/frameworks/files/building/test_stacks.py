"""A list of layers of files is a stack, as a list of live layers is.

Covers: `frameworks/files/building/stacks.py`, `frameworks/registry.py`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch
from torch import nn

from compare import assert_parity, check_parity
from frameworks import adapt, convert, copy_weights
from frameworks.errors import GatewiseError
from frameworks.files import Checkpoint, open_checkpoint, save_checkpoint

X = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")


def save(folder: Path, *layers: Any) -> tuple[Any, Checkpoint]:
    model = keras.Sequential([keras.Input((7, 3)), *layers])
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(-0.6, 0.6, array.shape) for array in model.get_weights()])
    model.save(folder / "model.keras")
    return model, open_checkpoint(folder / "model.keras")


def lstm(units: int = 4, *, name: str, **options: Any) -> Any:
    return keras.layers.LSTM(units, name=name, return_sequences=True, **options)


def test_a_stack_converts_copies_and_agrees_with_the_model(tmp_path: Path) -> None:
    model, checkpoint = save(tmp_path, lstm(name="a"), lstm(name="b"))
    stack = [checkpoint["a"], checkpoint["b"]]
    module: Any = convert(stack)
    assert (module.num_layers, module.hidden_size) == (2, 4)
    with torch.no_grad():
        np.testing.assert_allclose(module(torch.from_numpy(X))[0].numpy(), np.asarray(model(X)), atol=1e-6)
    other = nn.LSTM(3, 4, num_layers=2, batch_first=True)
    assert not check_parity(stack, other)
    copy_weights(stack, other)
    assert_parity(stack, other)
    assert_parity(model.layers, stack)
    assert adapt(tuple(stack)).spec.num_layers == 2


def test_two_directions_and_modules_of_several_layers_stack(tmp_path: Path) -> None:
    whole = nn.LSTM(3, 4, num_layers=3, bidirectional=True)
    upper = nn.LSTM(8, 4, num_layers=2, bidirectional=True)
    lower = nn.LSTM(3, 4, bidirectional=True)
    state = whole.state_dict()
    lower.load_state_dict({name: state[name] for name in lower.state_dict()})
    upper.load_state_dict({name: state[name.replace("_l1", "_l2").replace("_l0", "_l1")] for name in upper.state_dict()})
    torch.save(
        {f"{name}.{key}": value for name, part in (("a", lower), ("b", upper)) for key, value in part.state_dict().items()},
        tmp_path / "parts.pt",
    )
    parts = open_checkpoint(tmp_path / "parts.pt")
    assert_parity(whole, [parts["a"], parts["b"]])


def test_weights_alone_stack_although_the_file_does_not_state_return_sequences(tmp_path: Path) -> None:
    model, checkpoint = save(tmp_path, lstm(name="a"), lstm(name="b"))
    model.save_weights(tmp_path / "model.weights.h5")
    assert_parity([checkpoint["a"], checkpoint["b"]], list(open_checkpoint(tmp_path / "model.weights.h5").values()))


def test_a_stack_is_written_as_one_layer(tmp_path: Path) -> None:
    _, checkpoint = save(tmp_path, lstm(name="a"), lstm(name="b"))
    save_checkpoint(tmp_path / "rnn.pt", {"rnn": adapt([checkpoint["a"], checkpoint["b"]])})
    assert open_checkpoint(tmp_path / "rnn.pt")["rnn"].spec.num_layers == 2


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (lambda: lstm(5, name="b"), "layer 1 (b) of the stack must have hidden_size=4, to follow a, but has hidden_size=5"),
        (lambda: lstm(name="b", activation="relu"), "layer 1 (b) of the stack must have activation='tanh'"),
        (lambda: lstm(name="b", use_bias=False), "layer 1 (b) of the stack must have bias=True"),
        (lambda: keras.layers.GRU(4, name="b"), "layer 1 (b) of the stack must have cell='lstm'"),
        (lambda: lstm(name="b", go_backwards=True), "layer 1 (b) of the stack must have go_backwards=False"),
        (
            lambda: keras.layers.Bidirectional(lstm(name="i"), name="b"),
            "layer 1 (b) of the stack must have bidirectional=False",
        ),
    ],
)
def test_unequal_layers_are_refused_by_name(second: Any, said: str, tmp_path: Path) -> None:
    _, checkpoint = save(tmp_path, lstm(name="a"), second())
    with pytest.raises(GatewiseError, match=said.replace("(", r"\(").replace(")", r"\)")):
        convert([checkpoint["a"], checkpoint["b"]])


def test_a_lower_layer_must_return_sequences_and_lists_must_not_mix_files_and_live_layers(tmp_path: Path) -> None:
    model, checkpoint = save(tmp_path, lstm(name="a"), lstm(name="b"))
    last = replace(checkpoint["a"], options=replace(checkpoint["a"].options, return_sequences=False))  # type: ignore[type-var]
    with pytest.raises(GatewiseError, match=r"layer 0 \(a\) of the stack must have return_sequences=True"):
        adapt([last, checkpoint["b"]])
    with pytest.raises(GatewiseError, match="layer 1 of the stack must be a layer of a file, like a"):
        adapt([checkpoint["a"], model.layers[1]])
