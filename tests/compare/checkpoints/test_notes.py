"""What `gatewise verify` says beside its verdict calls the files by name, and contradicts no other sentence.

Covers: `compare/checkpoints`, `compare/parity/remarks.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import torch
from torch import nn

from compare.checkpoints.verification import verify
from compare.checkpoints.verification_text import render
from compare.checkpoints.verified import Verification
from frameworks import copy_weights
from frameworks.errors import GatewiseError
from frameworks.files import open_checkpoint, save_checkpoint

Randomise = Callable[..., Any]


def checked(one: Path, other: Path, only: Any = None) -> Verification:
    return verify(open_checkpoint(one), other, only)


def masked(randomise: Randomise, path: Path) -> Any:
    """Save a model whose embedding masks its GRU."""
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((7,), dtype="int32"), layers.Embedding(11, 5, mask_zero=True, name="emb"), layers.GRU(4, name="gru")]
    )
    randomise(model).save(path)
    return model


def test_a_mask_of_one_file_is_named_by_file_and_one_of_both_once(randomise: Randomise, tmp_path: Path) -> None:
    model = masked(randomise, tmp_path / "model.keras")
    net = nn.ModuleDict({"emb": nn.Embedding(11, 5), "gru": nn.GRU(5, 4, batch_first=True)})
    copy_weights(model.get_layer("gru"), net["gru"])
    torch.save(net.state_dict(), tmp_path / "port.pt")
    (row,) = [row for row in checked(tmp_path / "model.keras", tmp_path / "port.pt").rows if row.name == "gru"]
    about_mask, about_axes = sorted(row.notes, key=lambda note: "batch_first" in note)
    assert "the layer in model.keras gets one from 'emb (mask_zero)'" in about_mask
    assert "mask or pack the input of the layer in port.pt too" in about_mask
    assert "its file does not state batch_first" in about_axes
    assert not any(word in note for note in row.notes for word in ("expected", "actual"))
    masked(randomise, tmp_path / "again.keras")
    (both,) = [row for row in checked(tmp_path / "model.keras", tmp_path / "again.keras").rows if row.name == "gru"]
    assert both.notes == (
        "without a mask, although both get one in their models: check_parity(..., mask=mask) compares that call too",
    )


def test_a_flag_that_a_file_does_not_state_is_not_also_called_another_flag(randomise: Randomise, tmp_path: Path) -> None:
    layers = keras.layers
    two = layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode="sum", name="two")
    model = randomise(keras.Sequential([keras.Input((7, 3)), two]))
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "model.weights.h5")
    result = checked(tmp_path / "model.keras", tmp_path / "model.weights.h5")
    assert result.status == 0
    assert "model.weights.h5 does not state return_sequences=True of two; merge_mode='sum' of two." in render(result)
    assert [note for row in result.rows for note in row.notes] == []


def test_files_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "model.npz" for folder in ("old", "new")]
    for path in paths:
        path.parent.mkdir()
    save_checkpoint(paths[0], {"rnn": nn.GRU(3, 4), "lone": nn.LSTM(5, 4)})
    save_checkpoint(paths[1], {"rnn": nn.GRU(3, 4)})
    text = render(checked(*paths))
    assert f"Missing from {paths[1]}: lone." in text
    save_checkpoint(paths[1].with_name("other.npz"), {"rnn": nn.GRU(3, 4)})
    assert "Missing from other.npz: lone." in render(checked(paths[0], paths[1].with_name("other.npz")))


def test_joined_layers_are_not_told_to_be_joined(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "one.npz", {"a": nn.GRU(4, 4), "b": nn.GRU(4, 4)})
    torch.save({f"stack.{name}": value for name, value in nn.GRU(4, 4, 3).state_dict().items()}, tmp_path / "other.pt")
    hint = "join several layers with commas"
    alone, joined = (checked(tmp_path / "one.npz", tmp_path / "other.pt", {one: "stack"}).rows[0] for one in ("a", ("a", "b")))
    assert alone.cause == f"num_layers is 3, not 1: {hint}, as in --layer A,B=C"
    assert joined.cause == "num_layers is 3, not 2"


def test_a_chosen_layer_that_is_not_there_is_told_what_is(tmp_path: Path) -> None:
    net = nn.ModuleDict({"encoder": nn.GRU(3, 4), "head": nn.Linear(4, 2)})
    torch.save(net.state_dict(), tmp_path / "one.pt")
    torch.save(net.state_dict(), tmp_path / "other.pt")

    def refusal(only: Any) -> str:
        with pytest.raises(GatewiseError) as caught:
            checked(tmp_path / "one.pt", tmp_path / "other.pt", only)
        return str(caught.value)

    start = "the layer 'encode' of one.pt must be one of its layers that are recurrent, encoder, but is not there."
    assert refusal(["encode"]) == f"{start} Is it 'encoder'? Choose another with --layer NAME=OTHER."
    assert "'head' of other.pt must be one of its layers that are recurrent, encoder, but is not recurrent." in refusal(
        {"encoder": "head"}
    )
    assert "'encoder' of other.pt must be one of its layers that are not recurrent, head, but is recurrent." in refusal(
        {"head": "encoder"}
    )
    assert checked(tmp_path / "one.pt", tmp_path / "other.pt", ["encoder"]).status == 0
