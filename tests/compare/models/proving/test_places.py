"""A proof names the layer that is wrong, also where the port does a part of a layer's work around its module.

Covers: `compare/models/readers.py`, `compare/models/outside_masks.py`, `compare/models/pairing/pairing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from compare.models.proving.proof import Proof
from compare.models.proving.proving import Port, load_port, prove
from tests.compare.models.proving.models import with_biases, write_port

layers = keras.layers


def cells() -> Any:
    """Return a model of layers that become classes of their own: one without a mask, and all but the last step unused."""
    x = keras.Input((5, 6, 2), name="x")
    y = layers.ConvLSTM1D(3, 2, padding="same", name="frames")(x)
    y = layers.SeparableConv1D(4, 2, name="separable")(y)
    return keras.Model(x, layers.Dense(2, name="out")(layers.GRU(4, reset_after=False, name="gru")(y)))


def masked() -> Any:
    """Return a model whose masks are handled around native modules, one of which reads from the end."""
    x = keras.Input((None, 4), name="x")
    y = layers.LSTM(4, return_sequences=True, name="lstm")(layers.Masking(name="mask")(x))
    y = layers.LSTM(4, return_sequences=True, go_backwards=True, name="back")(y)
    y = layers.MultiHeadAttention(2, 3, name="heads")(y, y)
    return keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling1D(name="pool")(y)))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path]]:
    folder = tmp_path_factory.mktemp("ports")
    keras.utils.set_random_seed(0)
    models = {"cells": cells(), "masked": masked()}
    for model in models.values():
        with_biases(model)
    return {name: (model, write_port(model, folder / f"{name}.py")) for name, model in models.items()}


def exchanged(name: str, gates: int) -> Callable[[Any], None]:
    """Return a change of a port: the first two gates of an array are exchanged."""

    def change(port: Any) -> None:
        array = port.get_parameter(name).data
        size = len(array) // gates
        array[: 2 * size] = array[: 2 * size].roll(size, 0)

    return change


def doubled(name: str) -> Callable[[Any], None]:
    def change(port: Any) -> None:
        port.get_parameter(name).data.mul_(2)

    return change


RNG = np.random.default_rng(0)
INPUTS = {"cells": RNG.normal(size=(3, 5, 6, 2)).astype("float32"), "masked": RNG.normal(size=(3, 6, 4)).astype("float32")}
INPUTS["masked"][[0, 0, 1, 2, 2], [2, 5, 0, 1, 3]] = 0  # masked steps


def proof_of(ports: dict[str, tuple[Any, Path]], name: str, change: Callable[[Any], None] | None = None) -> Proof:
    model, path = ports[name]
    port = load_port(path)
    if change is not None:
        change(port)
    return prove(model, Port(port, path.name), INPUTS[name])


@pytest.mark.parametrize("name", ["cells", "masked"])
def test_a_right_port_differs_nowhere(ports: dict[str, tuple[Any, Path]], name: str) -> None:
    proof = proof_of(ports, name)
    assert proof.status == 0
    assert [each.layer for each in proof.layers if each.verdict not in ("agrees", None)] == []
    assert "differ inside" not in "".join(note for call in proof.calls for note in call.comparison.notes)
    alone = {each.layer for each in proof.layers if each.how == "alone"}
    assert alone >= ({"frames", "gru", "out"} if name == "cells" else {"lstm", "back", "heads", "out"})


@pytest.mark.parametrize(
    ("name", "place", "change"),
    [
        ("cells", "frames", exchanged("frames.weight_hh", 4)),
        ("cells", "gru", exchanged("gru.weight_hh", 3)),
        ("cells", "out", doubled("out.weight")),
        ("masked", "lstm", exchanged("lstm.weight_hh_l0", 4)),
        ("masked", "back", exchanged("back.weight_ih_l0", 4)),
        ("masked", "heads", doubled("heads.query.weight")),
        ("masked", "out", doubled("out.weight")),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_wrong_layer_is_the_first_that_is_named(
    ports: dict[str, tuple[Any, Path]], name: str, place: str, change: Callable[[Any], None]
) -> None:
    proof = proof_of(ports, name, change)
    assert proof.failed is not None
    first = proof.failed.comparison.first
    assert first is not None
    assert (first.kind, first.expected) == ("in", place)
    assert "ignores the mask" not in str(proof), "which the port handles around its module"
