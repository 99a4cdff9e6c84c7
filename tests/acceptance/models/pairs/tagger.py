"""A masked tagger: Embedding(mask_zero), BiLSTM, Dense softmax; in torch a packed sequence."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.acceptance.models.altering import (
    array,
    arrays_of,
    blocks_transposed,
    calls,
    copied,
    exchanged,
    in_bfloat16,
    in_order,
    keras_array,
    keras_attribute,
    rolled,
    zero,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, tokens
from tests.acceptance.models.weights import CELLS, copy_both_directions, copy_dense, copy_embedding


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 3, 15, 2)
    features, units, tags = different(rng, 15, 30, 3)
    cell = str(rng.choice(list(CELLS)))
    return {"batch": batch, "time": time, "words": 50, "features": features, "units": 2 * units, "tags": tags, "cell": cell}


def build(s: Sizes) -> Any:
    words = keras.Input((None,), dtype="int32", name="tokens")
    embedded = keras.layers.Embedding(s["words"], s["features"], mask_zero=True, name="words")(words)
    dropped = keras.layers.Dropout(0.2, name="drop")(embedded)
    read = keras.layers.Bidirectional(CELLS[s["cell"]][0](s["units"], return_sequences=True), name="context")(dropped)
    return keras.Model(words, keras.layers.Dense(s["tags"], activation="softmax", name="tags")(read))


class Tagger(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.lookup = nn.Embedding(s["words"], s["features"], padding_idx=0)
        self.rnn = CELLS[s["cell"]][1](s["features"], s["units"], batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.classify = nn.Linear(2 * s["units"], s["tags"])

    def fill(self, model: Any) -> None:
        copy_embedding(self.lookup, model.get_layer("words"))
        copy_both_directions(self.rnn, model.get_layer("context"))
        copy_dense(self.classify, model.get_layer("tags"))

    def read(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        output, _ = self.rnn(packed)
        padded: torch.Tensor = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0]
        return padded

    def combine(self, output: torch.Tensor) -> torch.Tensor:
        return output

    def decide(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.softmax(scores, dim=-1)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        lengths = (words != 0).sum(dim=1)
        output = self.read(self.dropout(self.lookup(words)), lengths)
        return self.decide(self.classify(self.combine(output)))


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (tokens(rng, s["batch"], s["time"], s["words"]),)
    return drawn, drawn


_RNN = ("context", "rnn")
_TAGS = ("tags", "classify")
MISTAKES = (
    Mistake(
        "gates of the input kernel as i, f, o, g",
        inside(*_RNN),
        array("rnn.weight_ih_l0", in_order(0, 1, 3, 2)),
        sizes={"cell": "lstm"},
        identifiers=("gates-permuted",),
    ),
    Mistake(
        "backward recurrent kernel not transposed",
        inside(*_RNN),
        array("rnn.weight_hh_l0_reverse", blocks_transposed(4)),
        sizes={"cell": "lstm"},
        identifiers=("recurrent-kernel-not-transposed", "gate-blocks-not-transposed"),
    ),
    Mistake(
        "directions exchanged",
        inside(*_RNN),
        exchanged(arrays_of("rnn", "l0"), arrays_of("rnn", "l0_reverse")),
        identifiers=("directions-swapped",),
    ),
    Mistake(
        "padding not packed",
        around(*_RNN),
        calls(read=lambda self, x, lengths: self.rnn(x)[0]),
        identifiers=("mask-ignored",),
        fix=("mask", "pack", "length"),
    ),
    Mistake(
        "halves exchanged",
        before(*_TAGS),
        calls(combine=lambda self, output: torch.cat(output.chunk(2, dim=-1)[::-1], dim=-1)),
        fix=("half", "halves", "torch.cat"),
    ),
    Mistake(
        "backward half flipped once more",
        before(*_TAGS),
        calls(combine=lambda self, y: torch.cat([y.chunk(2, -1)[0], y.chunk(2, -1)[1].flip(1)], dim=-1)),
        fix=("flip", "revers", "turn"),
    ),
    Mistake(
        "softmax over time",
        around(*_TAGS),
        calls(decide=lambda self, scores: torch.softmax(scores, dim=1)),
        fix=("dim", "axis"),
    ),
    Mistake("token numbers one off", inside("words", "lookup"), array("lookup.weight", rolled), fix=("shift", "row", "index")),
    Mistake("bias of the tags not copied", inside(*_TAGS), array("classify.bias", zero), fix=("bias",)),
    Mistake(
        "tags rounded to bfloat16",
        inside(*_TAGS),
        array("classify.weight", in_bfloat16),
        fix=("float16", "half", "round", "precision"),
    ),
    Mistake(
        "the Keras port's forward kernel with gates i, f, o, c",
        inside(*_RNN),
        keras_array("context", 0, lambda values: in_order(0, 1, 3, 2)(values.T).T),
        sizes={"cell": "lstm"},
        identifiers=("gates-permuted",),
        side="keras",
    ),
    Mistake(
        "the Keras port's tags without softmax",
        around(*_TAGS),
        keras_attribute("tags", "activation", keras.activations.linear),
        fix=("softmax", "activation"),
        side="keras",
    ),
    Mistake(
        "backward direction with the forward one's weights",
        inside(*_RNN),
        copied(arrays_of("rnn", "l0"), arrays_of("rnn", "l0_reverse")),
        identifiers=("direction-repeated", "from-another-layer"),
    ),
)

PAIR = ModelPair(
    "masked tagger",
    sizes,
    build,
    Tagger,
    inputs,
    {"words": "lookup", "context": "rnn", "tags": "classify"},
    MISTAKES,
    (
        ("token numbers one off", "gates of the input kernel as i, f, o, g"),
        ("backward recurrent kernel not transposed", "bias of the tags not copied"),
        ("gates of the input kernel as i, f, o, g", "halves exchanged"),
    ),
)
