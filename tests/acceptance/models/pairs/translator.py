"""Encoder and decoder with dot-product attention over a masked source; in torch the attention is written out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.acceptance.models.altering import (
    added_to_block,
    array,
    blocks_transposed,
    calls,
    copied,
    in_order,
    keras_array,
    keras_attribute,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, tokens, whole_tokens
from tests.acceptance.models.weights import copy_dense, copy_embedding, copy_recurrent


def sizes(rng: np.random.Generator) -> Sizes:
    batch, source, target = different(rng, 3, 14, 3)
    features, units, combined = different(rng, 15, 40, 3)
    return {
        "batch": batch,
        "source": source,
        "target": target,
        "features": features,
        "units": units,
        "combined": combined,
        "source words": 30,
        "target words": 36,
    }


def build(s: Sizes) -> Any:
    layers = keras.layers
    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    embedded = layers.Embedding(s["source words"], s["features"], mask_zero=True, name="source_embedding")(source)
    read, h, c = layers.LSTM(s["units"], return_sequences=True, return_state=True, name="encoder")(embedded)
    shifted = layers.Embedding(s["target words"], s["features"], name="target_embedding")(target)
    written = layers.LSTM(s["units"], return_sequences=True, name="decoder")(shifted, initial_state=[h, c])
    context = layers.Attention(name="attention")([written, read])
    joined = layers.Concatenate(name="joined")([context, written])
    combined = layers.Dense(s["combined"], activation="tanh", name="combined")(joined)
    words = layers.Dense(s["target words"], activation="softmax", name="words")(combined)
    return keras.Model([source, target], words)


class Translator(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.src = nn.Embedding(s["source words"], s["features"])
        self.trg = nn.Embedding(s["target words"], s["features"])
        self.enc = nn.LSTM(s["features"], s["units"], batch_first=True)
        self.dec = nn.LSTM(s["features"], s["units"], batch_first=True)
        self.mix = nn.Linear(2 * s["units"], s["combined"])
        self.project = nn.Linear(s["combined"], s["target words"])

    def fill(self, model: Any) -> None:
        copy_embedding(self.src, model.get_layer("source_embedding"))
        copy_embedding(self.trg, model.get_layer("target_embedding"))
        copy_recurrent(self.enc, model.get_layer("encoder"))
        copy_recurrent(self.dec, model.get_layer("decoder"))
        copy_dense(self.mix, model.get_layer("combined"))
        copy_dense(self.project, model.get_layer("words"))

    def start(self, h_n: torch.Tensor, c_n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        return h_n, c_n

    def hidden_scores(self, scores: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        return scores.masked_fill(~valid[:, None], -torch.inf)

    def weights(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.softmax(scores, dim=-1)

    def join(self, context: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        return torch.cat([context, output], dim=-1)

    def combine(self, joined: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.mix(joined))

    def forward(self, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        valid = source != 0
        packed = pack_padded_sequence(self.src(source), valid.sum(dim=1), batch_first=True, enforce_sorted=False)
        packed, (h_n, c_n) = self.enc(packed)
        memory, _ = pad_packed_sequence(packed, batch_first=True, total_length=source.shape[1])
        output, _ = self.dec(self.trg(target), self.start(h_n, c_n))
        scores = self.hidden_scores(output @ memory.transpose(1, 2), valid)
        context = self.weights(scores) @ memory
        return torch.softmax(self.project(self.combine(self.join(context, output))), dim=-1)


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (
        tokens(rng, s["batch"], s["source"], s["source words"]),
        whole_tokens(rng, s["batch"], s["target"], s["target words"]),
    )
    return drawn, drawn


_DECODER = ("decoder", "dec")
_MIXED = ("attention joined combined", "mix")
MISTAKES = (
    Mistake(
        "decoder starts from zero",
        around(*_DECODER),
        calls(start=lambda self, h_n, c_n: None),
        identifiers=("state-forgotten",),
        fix=("state", "h_n"),
    ),
    Mistake(
        "hidden and cell state exchanged",
        around(*_DECODER),
        calls(start=lambda self, h_n, c_n: (c_n, h_n)),
        identifiers=("states-swapped",),
        fix=("state", "h_n", "c_n"),
    ),
    Mistake(
        "cell state not passed on",
        around(*_DECODER),
        calls(start=lambda self, h_n, c_n: (h_n, torch.zeros_like(c_n))),
        identifiers=("state-forgotten",),
        fix=("state", "c_n"),
    ),
    Mistake("attention sees the padding", before(*_MIXED), calls(hidden_scores=lambda self, scores, valid: scores)),
    Mistake(
        "attention normalised over the target",
        before(*_MIXED),
        calls(
            hidden_scores=lambda self, scores, valid: scores.masked_fill(~valid[:, None], -1e9),
            weights=lambda self, scores: torch.softmax(scores, dim=1),
        ),
    ),
    Mistake(
        "attention scaled by the root of the units",
        before(*_MIXED),
        calls(weights=lambda self, scores: torch.softmax(scores / self.dec.hidden_size**0.5, dim=-1)),
    ),
    Mistake(
        "output before context",
        before(*_MIXED),
        calls(join=lambda self, context, output: torch.cat([output, context], dim=-1)),
        fix=("order", "cat", "concat"),
    ),
    Mistake(
        "target embedding from the source's",
        inside("target_embedding", "trg"),
        copied("src.weight", "trg.weight"),
        sizes={"target words": 30},
    ),
    Mistake(
        "forget bias added once more",
        inside(*_DECODER),
        array("dec.bias_ih_l0", added_to_block(1, 4, 1.0)),
        identifiers=("forget-bias-twice",),
    ),
    Mistake(
        "encoder's recurrent kernel not transposed",
        inside("encoder", "enc"),
        array("enc.weight_hh_l0", blocks_transposed(4)),
        identifiers=("recurrent-kernel-not-transposed", "gate-blocks-not-transposed"),
    ),
    Mistake(
        "tanh forgotten",
        inside("combined", "mix") + before("words", "project"),
        calls(combine=lambda self, joined: self.mix(joined)),
        fix=("tanh", "activation"),
    ),
    Mistake(
        "the Keras port's decoder with gates i, f, o, c",
        inside(*_DECODER),
        keras_array("decoder", 1, lambda values: in_order(0, 1, 3, 2)(values.T).T),
        identifiers=("gates-permuted",),
        side="keras",
    ),
    Mistake(
        "the Keras port's decoder with another recurrent activation",
        inside(*_DECODER),
        keras_attribute("decoder", "cell.recurrent_activation", keras.activations.hard_sigmoid),
        identifiers=("recurrent-activation",),
        side="keras",
    ),
)

PAIR = ModelPair(
    "encoder and decoder with attention",
    sizes,
    build,
    Translator,
    inputs,
    {
        "source_embedding": "src",
        "target_embedding": "trg",
        "encoder": "enc",
        "decoder": "dec",
        "combined": "mix",
        "words": "project",
    },
    MISTAKES,
    (
        ("encoder's recurrent kernel not transposed", "forget bias added once more"),
        ("decoder starts from zero", "output before context"),
    ),
)
