"""A siamese model: one encoder called twice, the distance and the product of both codes, and a score."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.acceptance.models.altering import array, attribute, calls, in_order, keras_attribute, reshaped
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, tokens
from tests.acceptance.models.weights import copy_dense, copy_embedding, copy_normalisation, copy_recurrent


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 3, 12, 2)
    features, units, hidden = different(rng, 15, 40, 3)
    return {"batch": batch, "time": time, "words": 45, "features": features, "units": units, "hidden": hidden}


def build(s: Sizes) -> Any:
    layers = keras.layers
    left = keras.Input((None,), dtype="int32", name="left")
    right = keras.Input((None,), dtype="int32", name="right")
    embed = layers.Embedding(s["words"], s["features"], mask_zero=True, name="embed")
    encode = layers.GRU(s["units"], name="encode")
    norm = layers.LayerNormalization(name="norm")
    a, b = (norm(encode(embed(side))) for side in (left, right))
    distance = layers.Lambda(keras.ops.abs, output_shape=(s["units"],), name="distance")(
        layers.Subtract(name="difference")([a, b])
    )
    both = layers.Concatenate(name="both")([distance, layers.Multiply(name="product")([a, b])])
    match = layers.Dense(s["hidden"], activation="relu", name="match")(both)
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid", name="same")(match))


class Siamese(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.table = nn.Embedding(s["words"], s["features"])
        self.gru = nn.GRU(s["features"], s["units"], batch_first=True)
        self.ln = nn.LayerNorm(s["units"], eps=1e-3)
        self.compare = nn.Linear(2 * s["units"], s["hidden"])
        self.score = nn.Linear(s["hidden"], 1)

    def fill(self, model: Any) -> None:
        copy_embedding(self.table, model.get_layer("embed"))
        copy_recurrent(self.gru, model.get_layer("encode"))
        copy_normalisation(self.ln, model.get_layer("norm"))
        copy_dense(self.compare, model.get_layer("match"))
        copy_dense(self.score, model.get_layer("same"))

    def last(self, words: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(self.table(words), (words != 0).sum(1), batch_first=True, enforce_sorted=False)
        return self.gru(packed)[1][-1]  # type: ignore[no-any-return]  # a module returns Any

    def encode(self, words: torch.Tensor) -> torch.Tensor:
        return self.ln(self.last(words))  # type: ignore[no-any-return]  # as above

    def features(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.cat([(a - b).abs(), a * b], dim=-1)

    def hidden(self, features: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.compare(features))

    def codes(self, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encode(left), self.encode(right)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(self.score(self.hidden(self.features(*self.codes(left, right)))))


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (tokens(rng, s["batch"], s["time"], s["words"]), tokens(rng, s["batch"], s["time"] + 3, s["words"]))
    return drawn, drawn


def last_step(port: Any, words: torch.Tensor) -> torch.Tensor:
    packed = pack_padded_sequence(port.table(words), (words != 0).sum(1), batch_first=True, enforce_sorted=False)
    output, _ = pad_packed_sequence(port.gru(packed)[0], batch_first=True)
    return output[:, -1]


def codes_with_kept_state(port: Any, left: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    codes = []
    state = None
    for words in (left, right):
        packed = pack_padded_sequence(port.table(words), (words != 0).sum(1), batch_first=True, enforce_sorted=False)
        _, state = port.gru(packed, state)
        codes.append(port.ln(state[-1]))
    return codes[0], codes[1]


_GRU = ("encode", "gru")
_MATCH = ("difference distance product both match", "compare")
_ORDER = "weight_ih_l0 weight_hh_l0 bias_ih_l0 bias_hh_l0"
MISTAKES = (
    Mistake(
        "difference instead of distance",
        before(*_MATCH),
        calls(features=lambda self, a, b: torch.cat([a - b, a * b], dim=-1)),
        fix=("abs",),
    ),
    Mistake(
        "square instead of distance",
        before(*_MATCH),
        calls(features=lambda self, a, b: torch.cat([(a - b) ** 2, a * b], dim=-1)),
    ),
    Mistake(
        "product before distance",
        before(*_MATCH),
        calls(features=lambda self, a, b: torch.cat([a * b, (a - b).abs()], dim=-1)),
        fix=("order", "cat", "concat"),
    ),
    Mistake(
        "sum instead of product",
        before(*_MATCH),
        calls(features=lambda self, a, b: torch.cat([(a - b).abs(), a + b], dim=-1)),
    ),
    Mistake(
        "left compared with left", before("embed", "table"), calls(codes=lambda self, a, b: (self.encode(a), self.encode(a)))
    ),
    Mistake(
        "state kept between the calls",
        around(*_GRU),
        calls(codes=codes_with_kept_state),
        identifiers=("state-kept",),
        fix=("state", "h_n", "zeros"),
    ),
    Mistake("last step of the padded output", before("norm", "ln"), calls(last=last_step), fix=("h_n", "last", "length")),
    Mistake(
        "padding not packed",
        around(*_GRU),
        calls(last=lambda self, words: self.gru(self.table(words))[1][-1]),
        identifiers=("mask-ignored",),
        fix=("mask", "pack", "length"),
    ),
    Mistake("epsilon of nn.LayerNorm left at 1e-5", inside("norm", "ln"), attribute("ln.eps", 1e-5), fix=("eps",)),
    Mistake(
        "normalisation forgotten",
        inside("norm", "ln") + before(*_MATCH),
        calls(encode=lambda self, words: self.last(words)),
    ),
    Mistake(
        "gates in the order of Keras",
        inside(*_GRU),
        array(" ".join(f"gru.{name}" for name in _ORDER.split()), in_order(1, 0, 2)),
        identifiers=("gates-permuted",),
    ),
    Mistake(
        "kernel reshaped",
        inside(*_GRU),
        array("gru.weight_ih_l0", reshaped),
        identifiers=("kernel-reshaped",),
    ),
    Mistake(
        "relu forgotten",
        inside("match", "compare") + before("same", "score"),
        calls(hidden=lambda self, features: self.compare(features)),
        fix=("relu", "activation"),
    ),
    Mistake(
        "the Keras port's epsilon as in torch",
        inside("norm", "ln"),
        keras_attribute("norm", "epsilon", 1e-5),
        fix=("eps",),
        side="keras",
    ),
)

PAIR = ModelPair(
    "siamese",
    sizes,
    build,
    Siamese,
    inputs,
    {"embed": "table", "encode": "gru", "norm": "ln", "match": "compare", "same": "score"},
    MISTAKES,
    (
        ("gates in the order of Keras", "epsilon of nn.LayerNorm left at 1e-5"),
        ("kernel reshaped", "relu forgotten"),
    ),
)
