"""Arrays whose kind a file of torch does not state are called arrays until the user states it, and no wrong kind is written.

Covers: `frameworks/files/torch/other_layers.py`, `frameworks/files/given_options.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from frameworks.files import open_checkpoint, save_checkpoint

AMBIGUOUS: dict[str, nn.Module] = {
    "embedder": nn.Linear(6, 9, bias=False),
    "words": nn.Embedding(11, 3),
    "bags": nn.EmbeddingBag(11, 3),
    "bilinear": nn.Bilinear(3, 3, 7),
    "conv1d": nn.Conv1d(4, 6, 3),
    "depthwise": nn.Conv2d(8, 8, 3, groups=8),
    "up": nn.ConvTranspose2d(8, 8, 3, groups=8, stride=2),
    "wide": nn.ConvTranspose1d(3, 6, 5),
    "norm": nn.LayerNorm(5),
    "group": nn.GroupNorm(5, 5),
    "batch": nn.BatchNorm1d(5),
    "instance": nn.InstanceNorm1d(5, affine=True, track_running_stats=True),
    "slopes": nn.PReLU(5),
    "attention": nn.MultiheadAttention(8, 2),
}


@pytest.fixture
def path(tmp_path: Path, randomise: Any) -> Path:
    """Save the state dict of a model with modules that share their arrays with others, and a GRU."""
    torch.save(
        randomise(nn.ModuleDict({"gru": nn.GRU(2, 3), **AMBIGUOUS, "head": nn.Linear(5, 2)})).state_dict(), tmp_path / "a.pt"
    )
    return tmp_path / "a.pt"


def test_a_kind_is_claimed_only_without_doubt(path: Path) -> None:
    others = open_checkpoint(path).others
    assert {name for name, other in others.items() if other.kind} == {"head", "attention.out_proj"}
    for name, module in AMBIGUOUS.items():
        assert type(module).__name__ in others[name].warnings[0]
        assert not others[name].known


@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
def test_no_kind_is_guessed_in_a_file_of_keras(path: Path, tmp_path: Path, ending: str) -> None:
    written = {each.name: each for each in save_checkpoint(tmp_path / f"b.{ending}", open_checkpoint(path))}
    assert {name for name, each in written.items() if each.becomes} == {"gru", "head", "attention.out_proj"}
    assert all("not written" in written[name].caveats[0] for name in AMBIGUOUS)


def test_what_a_layer_lacks_in_keras_is_said(tmp_path: Path) -> None:
    others = {"padded": nn.Conv2d(2, 3, 3, padding=1), "group": nn.GroupNorm(5, 5), "odd": nn.Linear(2, 3)}
    torch.save(nn.ModuleDict({"gru": nn.GRU(2, 3), **others}), tmp_path / "a.pt")
    written = {each.name: each for each in save_checkpoint(tmp_path / "b.weights.h5", open_checkpoint(tmp_path / "a.pt"))}
    assert written["padded"].caveats == ("not written: the corresponding Keras layer lacks one of its options",)
    assert written["group"].caveats == ("not written: GroupNorm is not translated to Keras",)
    assert written["odd"].becomes


def test_arrays_are_carried_under_their_names_and_may_be_told_later(path: Path, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "b.safetensors", open_checkpoint(path))
    save_checkpoint(tmp_path / "c.pt", open_checkpoint(tmp_path / "b.safetensors"))
    expected, actual = torch.load(path), torch.load(tmp_path / "c.pt")
    assert all(torch.equal(actual[name], array) for name, array in expected.items())
    for name in ("b.safetensors", "c.pt"):
        told = open_checkpoint(tmp_path / name, options={"words": {"kind": "Embedding"}}).others
        assert (told["words"].kind, told["words"].known, told["bags"].kind) == ("Embedding", True, "")


@pytest.mark.parametrize("ending", ["weights.h5", "keras"])
def test_an_embedding_that_the_user_states_is_one_in_keras(path: Path, tmp_path: Path, ending: str) -> None:
    checkpoint = open_checkpoint(path, options={"words": {"kind": "Embedding"}})
    save_checkpoint(tmp_path / f"b.{ending}", checkpoint)
    again = next(other for other in open_checkpoint(tmp_path / f"b.{ending}").others.values() if "embeddings" in other.stored)
    np.testing.assert_array_equal(again.arrays["embeddings"], torch.load(path)["words.weight"].numpy())


def test_a_grouped_convolution_computes_the_same_in_keras_with_the_options_that_the_user_states(
    path: Path, tmp_path: Path, randomise: Any
) -> None:
    import keras

    conv = randomise(nn.Conv2d(4, 8, 3, groups=2, stride=(2, 1)))
    torch.save(nn.ModuleDict({"gru": nn.GRU(2, 3), "conv": conv}).state_dict(), path)
    options: Any = {"conv": {"kind": "Conv2d", "groups": 2, "stride": (2, 1)}}
    save_checkpoint(tmp_path / "b.keras", open_checkpoint(path, options=options))
    layer = keras.models.load_model(tmp_path / "b.keras").get_layer("conv")
    x = torch.randn(2, 4, 9, 7)
    actual = keras.ops.convert_to_numpy(layer(np.moveaxis(x.numpy(), 1, -1)))
    np.testing.assert_allclose(np.moveaxis(actual, -1, 1), conv(x).detach().numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "config", "warning"),
    [
        ("norm", {"kind": "LayerNorm", "eps": 1e-3}, {"epsilon": 1e-3}, None),
        ("norm", {"kind": "LayerNorm"}, {"epsilon": 1e-5}, "eps=1e-05 assumed"),
        ("batch", {"kind": "BatchNorm2d", "eps": 0.1, "momentum": None}, {"epsilon": 0.1}, "averages all batches"),
        ("up", {"kind": "ConvTranspose2d", "stride": 2, "groups": 8, "output_padding": (1, 1)}, {}, "padding=0, dilation=1"),
        ("group", {"kind": "GroupNorm", "eps": 1e-3}, {}, "does not state num_groups"),
        ("group", {"kind": "GroupNorm", "eps": 1e-3, "num_groups": 5}, {}, None),
        ("conv1d", {"kind": "Conv1d", "padding": "same", "padding_mode": "zeros"}, {"padding": "same"}, "stride=1, dilation=1"),
        ("slopes", {"kind": "PReLU"}, {}, None),
    ],
)
def test_a_told_kind_has_the_options_of_its_module(
    name: str, options: dict[str, Any], config: dict[str, Any], warning: str | None, path: Path
) -> None:
    other = open_checkpoint(path, options={name: options}).others[name]
    assert other.kind == options["kind"]
    assert config.items() <= dict(other.config).items()
    assert other.known
    assert [warning in each for each in other.warnings] == [True] if warning else other.warnings == ()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("words", {"kind": "Conv1d"}, ("kind of words", "weight (11, 3)", "Linear, Embedding, EmbeddingBag", "'Conv1d'")),
        ("words", {"kind": "LSTM"}, ("kind of words", "'LSTM'")),
        ("words", {"kind": 3}, ("kind of words", "is 3")),
        ("words", {"kind": "Embedding", "eps": 1}, ("option eps of words", "be one of kind")),
        ("words", {"eps": 1}, ("option eps of words", "be one of kind")),
        ("words", {"cell": "lstm"}, ("option cell of words", "be one of kind")),
        ("wide", {"kind": "Conv1d"}, ("kind of wide", "ConvTranspose1d, but is 'Conv1d'")),
        ("depthwise", {"kind": "Conv2d", "groups": 3}, ("groups of depthwise", "divide")),
        ("up", {"kind": "ConvTranspose2d", "groups": 4}, ("groups of up", "divide")),
        ("depthwise", {"kind": "Conv2d", "stride": 0}, ("stride of depthwise", "whole number from 1")),
        ("depthwise", {"kind": "Conv2d", "padding": "full"}, ("padding of depthwise", "'same' or 'valid'")),
        ("depthwise", {"kind": "Conv2d", "padding_mode": 3}, ("padding_mode of depthwise", "'reflect'")),
        ("norm", {"kind": "LayerNorm", "eps": "small"}, ("eps of norm", "a number")),
        ("head", {"kind": "Bilinear"}, ("kind of head", ": Linear, but is 'Bilinear'")),
        ("nowhere", {"kind": "Linear"}, ("the layer 'nowhere'", "words", "gru")),
        ("gru", {"kind": "GRU"}, ("option kind of gru",)),
        (None, {"kind": "Linear"}, ("option kind must name a layer",)),
    ],
)
def test_a_wrong_kind_or_option_is_refused_by_name(
    name: str | None, options: dict[str, Any], said: tuple[str, ...], path: Path, refused: Any
) -> None:
    with refused(*said):
        open_checkpoint(path, options={name: options})


def test_the_kind_that_a_file_states_cannot_be_told_otherwise(tmp_path: Path, refused: Any) -> None:
    torch.save(nn.ModuleDict({"gru": nn.GRU(2, 3), "own": nn.GroupNorm(5, 5)}), tmp_path / "a.pt")
    assert open_checkpoint(tmp_path / "a.pt", options={"own": {"kind": "GroupNorm"}}).others["own"].kind == "GroupNorm"
    with refused("kind of own", "GroupNorm, as the file states"):
        open_checkpoint(tmp_path / "a.pt", options={"own": {"kind": "LayerNorm"}})
