"""Lies in otherwise consistent files, most of them found by fuzz.py: refused, or carried unchanged.

Covers: `frameworks/files`.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from compare.checkpoints.inspection import describe, render
from frameworks import GatewiseError, RecurrentSpec, build
from frameworks.files import Checkpoint, OtherLayer, open_checkpoint, save_checkpoint
from frameworks.files.untrusted.source import in_memory
from frameworks.files.writing.outcome import layers_of
from frameworks.files.writing.sidecar import describe as say

pytestmark = pytest.mark.frameworks

NAMES = ["a\nb", "\x1b[2J\x1b]0;owned\x07", "\u202eabc", "\ud800", "\x00", "..", "../../etc/passwd", "a.b/c", ""]


def described(folder: Path, change: Any) -> Path:
    """Write a torch GRU with a false description."""
    gru = build("pytorch", RecurrentSpec("gru", 3, 4), seed=1)
    said = json.loads(say(layers_of({"gru": gru}), {}, {}))
    change(said["layers"][0])
    save_checkpoint(folder / "whole.npz", {"gru": gru})
    with np.load(folder / "whole.npz") as archive:
        arrays = dict(archive)
    arrays["gatewise"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(folder / "lie.npz", **arrays)
    return folder / "lie.npz"


def test_the_control_is_read_and_built(tmp_path: Path) -> None:
    import torch

    checkpoint = open_checkpoint(described(tmp_path, lambda said: None))
    assert isinstance(checkpoint["gru"].emulate("pytorch"), torch.nn.GRU)


@pytest.mark.parametrize(
    "lie",
    [
        {"arguments": {"device": "cuda"}},
        {"arguments": {"batch_first": 1}},
        {"arguments": {"dropout": "0.5"}},
        {"arguments": {"proj_size": -1}},
        {"arguments": {"proj_size": 2}},
        {"arguments": [["batch_first", True]] * 2 + [["x", 1]]},
        {"origin": "keras"},
        {"options": {}},
        {"cells": [[{"spec": {"cell": "gru", "input_size": 3, "hidden_size": 4}, "dropout": 2, "recurrent_dropout": 0}]]},
        {"cells": [[{"spec": {"cell": "gru", "input_size": 3, "hidden_size": 10**400}, "dropout": 0, "recurrent_dropout": 0}]]},
        {"name": "another"},
        {"warnings": 3},
        {"mask": None, "cells": [[]]},
    ],
)
def test_a_false_description_is_refused(tmp_path: Path, lie: Any, refused: Any) -> None:
    path = described(tmp_path, lambda said: said.update(lie))
    with refused("lie.npz" if "name" in lie else ""):
        open_checkpoint(path)


def test_the_name_in_a_file_chooses_no_class(tmp_path: Path) -> None:
    import torch

    layer = open_checkpoint(described(tmp_path, lambda said: said.update(class_name="Sequential")))["gru"]
    assert type(layer.emulate("pytorch")) is torch.nn.GRU


@pytest.mark.parametrize("name", NAMES)
def test_a_printed_name_cannot_control_a_terminal(name: str) -> None:
    gru = build("pytorch", RecurrentSpec("gru", 3, 4), seed=1)
    beside = OtherLayer(name, name, MappingProxyType({name: in_memory(np.ones(2, "f4"))}), warnings=(name,))
    checkpoint = Checkpoint(Path(name), name, [*layers_of({name: gru}), beside])
    shown = [render(describe(checkpoint)), repr(checkpoint)]
    with pytest.raises(GatewiseError) as caught:
        checkpoint[f"{name} of no layer"]
    for text in (*shown, str(caught.value)):
        assert all(character.isprintable() or character == "\n" for character in text)
        assert text.encode()
    assert len(shown[0].splitlines()) == len(
        render(describe(Checkpoint(Path("a"), "a", [*checkpoint.values(), beside]))).splitlines()
    )


@pytest.mark.parametrize("ending", [".npz", ".pt", ".safetensors", ".weights.h5"])
def test_names_come_back_unchanged_or_are_refused(ending: str, tmp_path: Path, refused: Any) -> None:
    gru = build("pytorch", RecurrentSpec("gru", 3, 4), seed=1)
    for number, name in enumerate(NAMES):
        path = tmp_path / f"{number}{ending}"
        if name in ("\ud800", "\x00"):
            with refused("must be text"):
                save_checkpoint(path, {name: gru})
            assert not path.exists()
        else:
            save_checkpoint(path, {name: gru})
            assert list(open_checkpoint(path)) == [name or "gru" * (ending == ".weights.h5")]


def test_a_live_module_that_was_saved_is_emulated(tmp_path: Path, randomise: Any) -> None:
    import torch
    from torch import nn

    modules = {"relu": nn.RNN(3, 4, nonlinearity="relu", batch_first=True), "cell": nn.LSTMCell(3, 2), "deep": nn.GRU(3, 4, 2)}
    for module in modules.values():
        randomise(module)
    save_checkpoint(tmp_path / "live.pt", modules)
    x = torch.randn(2, 3)
    for name, layer in open_checkpoint(tmp_path / "live.pt").items():
        actual, expected = layer.emulate("pytorch")(x), modules[name](x)
        assert torch.equal(actual[0], expected[0])


ODD: dict[str, tuple[dict[str, Any], dict[str, tuple[int, ...]], str]] = {
    "rank": ({}, {"kernel": (7,), "bias": (7,)}, "Dense"),
    "kernel": ({"strides": [0]}, {"kernel": (3, 5, 6), "bias": (6,)}, "Conv1D"),
    "activation": ({"activation": "os.system"}, {"kernel": (5, 6)}, "Dense"),
    "axes": ({}, {"gamma": (2, 3), "beta": (2, 3)}, "LayerNormalization"),
    "none": ({}, {"alpha": ()}, "PReLU"),
    "empty": ({}, {"embeddings": (0, 3)}, "Embedding"),
}


@pytest.mark.parametrize("ending", [".npz", ".weights.h5", ".keras"])
def test_arrays_and_arguments_that_do_not_fit_the_kind_are_carried_unchanged_or_reported_as_left_out(
    ending: str, tmp_path: Path
) -> None:
    others = []
    for name, (config, shapes, kind) in ODD.items():
        arrays = {each: in_memory(np.ones(shape, "f4")) for each, shape in shapes.items()}
        others.append(OtherLayer(name, kind, MappingProxyType(arrays), config, known=True))
    checkpoint = Checkpoint(Path("odd"), "odd", [*layers_of({"gru": build("pytorch", RecurrentSpec("gru", 3, 4))}), *others])
    written = {each.name: each for each in save_checkpoint(tmp_path / f"odd{ending}", checkpoint)}
    for name, (_, shapes, _) in ODD.items():
        told = written[name]
        if not told.becomes:
            assert told.caveats
        elif ending == ".npz":
            stored = open_checkpoint(tmp_path / "odd.npz").others[name].stored
            assert (
                sorted(map(len, (each.shape for each in stored.values()))) >= sorted(map(len, shapes.values()))
                or name == "none"
            )
    assert bool(written["rank"].becomes) == (ending == ".npz")


@pytest.mark.backend
def test_a_name_with_dots_is_built_in_keras_on_every_backend(tmp_path: Path) -> None:
    layer = build("keras", RecurrentSpec("lstm", 3, 4, bidirectional=True), seed=1)
    save_checkpoint(tmp_path / "a.npz", {"encoder.lstm/x": layer})
    native = open_checkpoint(tmp_path / "a.npz")["encoder.lstm/x"].emulate("keras")
    assert native.name == "encoder_lstm_x"
