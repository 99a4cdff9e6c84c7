"""A BiGRU classifier; in torch an nn.Sequential with a small module that takes what it needs of the GRU's results."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from tests.acceptance.models.altering import (
    array,
    arrays_of,
    as_built,
    attribute,
    exchanged,
    in_half_precision,
    in_order,
    keras_array,
    keras_attribute,
    transposed,
    zero,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, whole_tokens
from tests.acceptance.models.weights import copy_both_directions, copy_dense, copy_embedding


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 3, 15, 2)
    features, units, hidden, labels = different(rng, 15, 40, 4)
    return {
        "batch": batch,
        "time": time,
        "words": 40,
        "features": features,
        "units": units,
        "hidden": 2 * hidden,
        "labels": labels,
        "reset_after": True,
    }


def build(s: Sizes) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(s["words"], s["features"], name="embedding"),
            layers.Bidirectional(layers.GRU(s["units"], reset_after=s["reset_after"]), name="bigru"),
            layers.Dense(s["hidden"], activation="relu", name="hidden"),
            layers.Dropout(0.5, name="dropout"),
            layers.Dense(s["labels"], activation="softmax", name="label"),
        ]
    )


class Final(nn.Module):
    """Return the last state of both directions."""

    def forward(self, results: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        _, h_n = results
        return torch.cat([h_n[0], h_n[1]], dim=-1)


class LastStep(nn.Module):
    def forward(self, results: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return results[0][:, -1]


class BackwardFirst(nn.Module):
    def forward(self, results: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return torch.cat([results[1][1], results[1][0]], dim=-1)


class Interleaved(nn.Module):
    def forward(self, results: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        h_n = results[1]
        return h_n.permute(1, 2, 0).reshape(h_n.shape[1], -1)


class Reshaped(nn.Module):
    def forward(self, results: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return results[1].reshape(results[1].shape[1], -1)


class AlwaysDropout(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.dropout(x, 0.5)


class Classifier(nn.Sequential):
    def __init__(self, s: Sizes) -> None:
        super().__init__(
            nn.Embedding(s["words"], s["features"]),
            nn.GRU(s["features"], s["units"], batch_first=True, bidirectional=True),
            Final(),
            nn.Linear(2 * s["units"], s["hidden"]),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(s["hidden"], s["labels"]),
            nn.Softmax(dim=-1),
        )

    def fill(self, model: Any) -> None:
        modules: Any = list(self)
        copy_embedding(modules[0], model.get_layer("embedding"))
        copy_both_directions(modules[1], model.get_layer("bigru"))
        copy_dense(modules[3], model.get_layer("hidden"))
        copy_dense(modules[6], model.get_layer("label"))


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (whole_tokens(rng, s["batch"], s["time"], s["words"]),)
    return drawn, drawn


def summed(port: Any) -> None:
    """Put the sum of both biases into the first."""
    for suffix in ("l0", "l0_reverse"):
        total = getattr(port[1], f"bias_ih_{suffix}") + getattr(port[1], f"bias_hh_{suffix}")
        array(f"1.bias_ih_{suffix}", lambda _, total=total: total.detach().numpy())(port)  # type: ignore[misc]  # mypy: no default
        array(f"1.bias_hh_{suffix}", zero)(port)


_ALL = f"{arrays_of('1', 'l0')} {arrays_of('1', 'l0_reverse')}"
_GRU = ("bigru", "1")
_HIDDEN = ("hidden", "2 3")
MISTAKES = (
    Mistake("gates in the order of Keras", inside(*_GRU), array(_ALL, in_order(1, 0, 2)), identifiers=("gates-permuted",)),
    Mistake("both biases summed into one", inside(*_GRU), summed, identifiers=("biases-summed",)),
    Mistake(
        "nn.GRU for reset_after=False",
        inside(*_GRU),
        as_built,
        identifiers=("reset-after",),
        sizes={"reset_after": False},
    ),
    Mistake(
        "last step of both halves", before(*_HIDDEN), attribute("2", LastStep()), fix=("h_n", "half", "halves", "backward")
    ),
    Mistake(
        "halves exchanged",
        before(*_HIDDEN),
        attribute("2", BackwardFirst()),
        fix=("half", "halves", "torch.cat"),
    ),
    Mistake("halves interleaved", before(*_HIDDEN), attribute("2", Interleaved()), fix=("half", "halves", "torch.cat")),
    Mistake(
        "states reshaped across the batch",
        before(*_HIDDEN),
        attribute("2", Reshaped()),
        fix=("reshape", "transpos", "h_n", "permut"),
    ),
    Mistake(
        "relu forgotten",
        inside("hidden", "3 4") + before("label", "6 4"),
        attribute("4", nn.Identity()),
        fix=("relu", "ReLU", "activation"),
    ),
    Mistake(
        "hidden layer not transposed",
        inside("hidden", "3"),
        array("3.weight", transposed),
        fix=("transpos", ".T"),
        sizes={"units": 7, "hidden": 14},
    ),
    Mistake(
        "dropout active",
        inside("dropout", "5") + before("label", "5 6"),
        attribute("5", AlwaysDropout()),
        fix=("dropout", "Dropout", "random"),
    ),
    Mistake("softmax over the batch", around("label", "6 7"), attribute("7", nn.Softmax(dim=0)), fix=("dim", "axis")),
    Mistake("sigmoid for softmax", around("label", "6 7"), attribute("7", nn.Sigmoid()), fix=("softmax", "Softmax")),
    Mistake(
        "hidden layer in half precision",
        inside("hidden", "3"),
        array("3.weight", in_half_precision),
        fix=("float16", "half", "round", "precision"),
    ),
    Mistake(
        "the Keras port's gates in the order of torch",
        inside(*_GRU),
        keras_array("bigru", 0, lambda values: in_order(1, 0, 2)(values.T).T),
        identifiers=("gates-permuted",),
        side="keras",
    ),
    Mistake(
        "the Keras port's hidden layer without relu",
        inside("hidden", "3 4") + before("label", "6 4"),
        keras_attribute("hidden", "activation", keras.activations.linear),
        fix=("relu", "ReLU", "activation"),
        side="keras",
    ),
    Mistake(
        "directions exchanged",
        inside(*_GRU),
        exchanged(arrays_of("1", "l0"), arrays_of("1", "l0_reverse")),
        identifiers=("directions-swapped",),
    ),
)

PAIR = ModelPair(
    "BiGRU classifier in nn.Sequential",
    sizes,
    build,
    Classifier,
    inputs,
    {"embedding": "0", "bigru": "1", "hidden": "3", "label": "6"},
    MISTAKES,
    (
        ("gates in the order of Keras", "hidden layer in half precision"),
        ("both biases summed into one", "last step of both halves"),
    ),
)
