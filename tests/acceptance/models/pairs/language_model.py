"""A language model whose output projection is its embedding: a subclassed Keras model, and a Linear with a tied weight."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.acceptance.models.altering import (
    array,
    as_built,
    attribute,
    blocks_transposed,
    calls,
    keras_array,
    keras_attribute,
    redrawn,
    zero,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, before, inside
from tests.acceptance.models.drawing import different, whole_tokens
from tests.acceptance.models.weights import copy_embedding, copy_normalisation, copy_recurrent, lay


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 3, 15, 2)
    units = int(rng.integers(15, 40))
    return {"batch": batch, "time": time, "words": 40, "units": units, "activation": "tanh"}


@keras.saving.register_keras_serializable("acceptance")
class TiedLogits(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Multiply with the embedding's own weights."""

    def __init__(self, embedding: Any, **options: Any) -> None:
        super().__init__(**options)
        self.embedding = embedding

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight(shape=(self.embedding.input_dim,), name="bias")
        super().build(input_shape)

    def call(self, x: Any) -> Any:
        return keras.ops.matmul(x, keras.ops.transpose(self.embedding.embeddings)) + self.bias


class KerasLanguageModel(keras.Model):  # type: ignore[misc]  # Keras is untyped
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.scale = s["units"] ** 0.5
        self.embedding = keras.layers.Embedding(s["words"], s["units"], name="embedding")
        self.first = keras.layers.LSTM(s["units"], return_sequences=True, activation=s["activation"], name="first")
        self.second = keras.layers.LSTM(s["units"], return_sequences=True, name="second")
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.logits = TiedLogits(self.embedding, name="logits")

    def call(self, words: Any) -> Any:
        x = self.embedding(words) * self.scale
        x = x + self.first(x)
        x = x + self.second(x)
        return self.logits(self.norm(x))


def build(s: Sizes) -> Any:
    model = KerasLanguageModel(s)
    model(np.zeros((1, 2), "int32"))
    return model


class LanguageModel(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.encoder = nn.Embedding(s["words"], s["units"])
        self.rnns = nn.ModuleList(nn.LSTM(s["units"], s["units"], batch_first=True) for _ in range(2))
        self.ln = nn.LayerNorm(s["units"], eps=1e-3)
        self.decoder = nn.Linear(s["units"], s["words"])
        self.decoder.weight = self.encoder.weight

    def fill(self, model: Any) -> None:
        copy_embedding(self.encoder, model.embedding)
        copy_recurrent(self.rnns[0], model.first)  # type: ignore[arg-type]  # a list of modules
        copy_recurrent(self.rnns[1], model.second)  # type: ignore[arg-type]  # a list of modules
        copy_normalisation(self.ln, model.norm)
        lay(self.decoder.bias, model.logits.get_weights()[0])

    def embed(self, words: torch.Tensor) -> torch.Tensor:
        return self.encoder(words) * self.encoder.embedding_dim**0.5  # type: ignore[no-any-return]  # a module returns Any

    def add(self, x: torch.Tensor, y: torch.Tensor, number: int) -> torch.Tensor:
        return x + y

    def between(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        x = self.embed(words)
        for number, rnn in enumerate(self.rnns):
            x = self.add(x, rnn(x)[0], number)
        return self.decoder(self.ln(self.between(x)))  # type: ignore[no-any-return]  # a module returns Any


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (whole_tokens(rng, s["batch"], s["time"], s["words"]),)
    return drawn, drawn


def over_time_too(port: Any) -> None:
    """Normalise over time and features together."""
    norm = port.ln

    def forward(x: torch.Tensor) -> torch.Tensor:
        normalised = functional.layer_norm(x, tuple(x.shape[1:]), eps=norm.eps)
        return torch.addcmul(norm.bias, normalised, norm.weight)

    norm.forward = forward


def untied(port: Any) -> None:
    port.decoder.weight = nn.Parameter(port.encoder.weight.detach().clone())
    array("decoder.weight", redrawn)(port)


_LOGITS = ("logits", "decoder")
MISTAKES = (
    Mistake(
        "scale of the embedding forgotten",
        before("first", "rnns.0"),
        calls(embed=lambda self, words: self.encoder(words)),
        fix=("times", "scale", "multipl", "*"),
    ),
    Mistake(
        "embedding divided by its scale",
        before("first", "rnns.0"),
        calls(embed=lambda self, words: self.encoder(words) / self.encoder.embedding_dim**0.5),
        fix=("times", "scale", "multipl", "*"),
    ),
    Mistake(
        "residual of the first layer forgotten",
        before("second", "rnns.1"),
        calls(add=lambda self, x, y, number: x + y if number else y),
        fix=("+", "add", "residual"),
    ),
    Mistake(
        "residual of the last layer forgotten",
        before("norm", "ln"),
        calls(add=lambda self, x, y, number: y if number else x + y),
        fix=("+", "add", "residual"),
    ),
    Mistake(
        "dropout active before the normalisation",
        before("norm", "ln"),
        calls(between=lambda self, x: functional.dropout(x, 0.3)),
        fix=("dropout", "Dropout", "random"),
    ),
    Mistake("epsilon of nn.LayerNorm left at 1e-5", inside("norm", "ln"), attribute("ln.eps", 1e-5), fix=("eps",)),
    Mistake(
        "normalised over time too", inside("norm", "ln"), over_time_too, fix=("axis", "axes", "normalized_shape", "dim", "time")
    ),
    Mistake(
        "scale of the normalisation not copied",
        inside("norm", "ln"),
        array("ln.weight", redrawn),
        fix=("weight", "gamma", "copied"),
    ),
    Mistake("projection not tied", inside(*_LOGITS), untied, fix=("weight", "tied", "copied", "shared")),
    Mistake("bias of the projection left at zero", inside(*_LOGITS), array("decoder.bias", zero), fix=("bias",)),
    Mistake(
        "nn.LSTM for another activation",
        inside("first", "rnns.0"),
        as_built,
        identifiers=("activation",),
        sizes={"activation": "softsign"},
    ),
    Mistake(
        "second layer's recurrent kernel not transposed",
        inside("second", "rnns.1"),
        array("rnns.1.weight_hh_l0", blocks_transposed(4)),
        identifiers=("recurrent-kernel-not-transposed", "gate-blocks-not-transposed"),
    ),
    Mistake(
        "the Keras port without the scale",
        before("first", "rnns.0"),
        lambda model: setattr(model, "scale", 1.0),
        side="keras",
        fix=("times", "scale", "multipl", "*", "divide", "/"),
    ),
    Mistake(
        "the Keras port with hard_sigmoid as recurrent activation",
        inside("second", "rnns.1"),
        keras_attribute("second", "cell.recurrent_activation", keras.activations.hard_sigmoid),
        identifiers=("recurrent-activation",),
        side="keras",
    ),
    Mistake(
        "the Keras port's recurrent kernel not transposed",
        inside("first", "rnns.0"),
        keras_array("first", 1, lambda values: blocks_transposed(4)(values.T).T),
        identifiers=("recurrent-kernel-not-transposed", "gate-blocks-not-transposed"),
        side="keras",
    ),
)

PAIR = ModelPair(
    "tied language model",
    sizes,
    build,
    LanguageModel,
    inputs,
    {"embedding": "encoder", "first": "rnns.0", "second": "rnns.1", "norm": "ln", "logits": "decoder"},
    MISTAKES,
    (
        ("second layer's recurrent kernel not transposed", "epsilon of nn.LayerNorm left at 1e-5"),
        ("scale of the embedding forgotten", "bias of the projection left at zero"),
    ),
)
