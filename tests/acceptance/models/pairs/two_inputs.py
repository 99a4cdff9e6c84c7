"""An image and a sequence: Conv2D, pooling and flattening beside a GRU; in torch with channels first."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from tests.acceptance.models.altering import (
    array,
    arrays_of,
    attribute,
    calls,
    keras_array,
    keras_attribute,
    negated_block,
    zero,
)
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, normal
from tests.acceptance.models.weights import copy_convolution, copy_dense, copy_recurrent


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 3, 13, 2)
    features, units, seen, classes, filters = different(rng, 13, 36, 5)
    height, width = (4 + 2 * size for size in different(rng, 1, 5, 2))
    return {
        "batch": batch,
        "time": time,
        "features": features,
        "units": units,
        "seen": seen,
        "classes": classes,
        "height": height,
        "width": width,
        "channels": 3,
        "filters": filters,
    }


def build(s: Sizes) -> Any:
    layers = keras.layers
    image = keras.Input((s["height"], s["width"], s["channels"]), name="image")
    sequence = keras.Input((None, s["features"]), name="sequence")
    looked = layers.Conv2D(s["filters"], 3, padding="same", activation="relu", name="look")(image)
    flat = layers.Flatten(name="flat")(layers.AveragePooling2D(2, name="shrink")(looked))
    seen = layers.Dense(s["seen"], activation="relu", name="seen")(flat)
    read = layers.GRU(s["units"], name="read")(sequence)
    both = layers.Concatenate(name="both")([seen, read])
    return keras.Model([image, sequence], layers.Dense(s["classes"], name="decide")(both))


class TwoInputs(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        pixels = (s["height"] // 2) * (s["width"] // 2)
        self.conv = nn.Conv2d(s["channels"], s["filters"], 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.image_fc = nn.Linear(pixels * s["filters"], s["seen"])
        self.gru = nn.GRU(s["features"], s["units"], batch_first=True)
        self.out = nn.Linear(s["seen"] + s["units"], s["classes"])

    def fill(self, model: Any) -> None:
        copy_convolution(self.conv, model.get_layer("look"))
        copy_dense(self.image_fc, model.get_layer("seen"))
        copy_recurrent(self.gru, model.get_layer("read"))
        copy_dense(self.out, model.get_layer("decide"))

    def flatten(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)

    def look(self, image: torch.Tensor) -> torch.Tensor:
        return self.pool(torch.relu(self.conv(image)))  # type: ignore[no-any-return]  # a module returns Any

    def features(self, flat: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.image_fc(flat))

    def read(self, sequence: torch.Tensor) -> torch.Tensor:
        return self.gru(sequence)[1][0]  # type: ignore[no-any-return]  # as above

    def join(self, seen: torch.Tensor, read: torch.Tensor) -> torch.Tensor:
        return torch.cat([seen, read], dim=-1)

    def forward(self, image: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
        seen = self.features(self.flatten(self.look(image)))
        return self.out(self.join(seen, self.read(sequence)))  # type: ignore[no-any-return]  # as above


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    image = normal(rng, s["batch"], s["height"], s["width"], s["channels"])
    sequence = normal(rng, s["batch"], s["time"], s["features"])
    return (image, sequence), (np.ascontiguousarray(image.transpose(0, 3, 1, 2)), sequence)


def in_torch_order(model: Any) -> None:
    """Lay the kernel of `seen` in as it is used with channels first."""
    shape = model.get_layer("shrink").output.shape[1:]
    order = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
    keras_array("seen", 0, lambda values: values[order])(model)


_CONV = ("look", "conv")
_GRU = ("read", "gru")
_FLAT = ("flat seen", "image_fc")
_BOTH = ("both decide", "out")
MISTAKES = (
    Mistake(
        "flattened with channels first",
        before(*_FLAT),
        calls(flatten=lambda self, x: x.flatten(1)),
        fix=("permut", "NHWC", "channels", "transpos"),
    ),
    Mistake(
        "flattened with width before height",
        before(*_FLAT),
        calls(flatten=lambda self, x: x.permute(0, 3, 2, 1).flatten(1)),
        fix=("permut", "transpos", "axes"),
    ),
    Mistake(
        "height and width of the kernel exchanged",
        inside(*_CONV),
        array("conv.weight", lambda values: values.swapaxes(-1, -2).copy()),
        fix=("kernel", "weight", "transpos"),
    ),
    Mistake(
        "kernel of the convolution turned round",
        inside(*_CONV),
        array("conv.weight", lambda values: values[..., ::-1, ::-1].copy()),
        fix=("kernel", "weight", "flip", "revers"),
    ),
    Mistake("padding by reflection", inside(*_CONV), attribute("conv.padding_mode", "reflect"), fix=("pad",)),
    Mistake(
        "maximum instead of mean",
        inside("shrink", "pool"),
        attribute("pool", nn.MaxPool2d(2)),
        fix=("avg", "Avg", "verage", "mean", "pool"),
    ),
    Mistake(
        "relu forgotten",
        inside("seen", "image_fc") + before(*_BOTH),
        calls(features=lambda self, flat: self.image_fc(flat)),
        fix=("relu", "activation"),
    ),
    Mistake(
        "sequence before image",
        before(*_BOTH),
        calls(join=lambda self, seen, read: torch.cat([read, seen], dim=-1)),
        fix=("order", "cat", "concat"),
    ),
    Mistake(
        "first step instead of the last",
        before(*_BOTH),
        calls(read=lambda self, sequence: self.gru(sequence)[0][:, 0]),
        fix=("[:, -1]", "last", "h_n"),
    ),
    Mistake(
        "update gate inverted",
        inside(*_GRU),
        array(arrays_of("gru", "l0"), negated_block(1, 3)),
        identifiers=("update-gate-inverted",),
    ),
    Mistake(
        "recurrent bias left at zero",
        inside(*_GRU),
        array("gru.bias_hh_l0", zero),
        identifiers=("recurrent-bias-dropped",),
    ),
    Mistake(
        "sequence read backwards",
        around(*_GRU),
        calls(read=lambda self, sequence: self.gru(sequence.flip(1))[1][0]),
        fix=("flip", "revers", "turn"),
    ),
    Mistake(
        "the Keras port's kernel in the order of channels first",
        around(*_FLAT),
        in_torch_order,
        side="keras",
        fix=("permut", "NHWC", "channels", "transpos", "flatten", "row"),
    ),
    Mistake(
        "the Keras port's kernel turned round",
        inside(*_CONV),
        keras_array("look", 0, lambda values: values[::-1, ::-1].copy()),
        fix=("kernel", "weight", "flip", "revers"),
        side="keras",
    ),
    Mistake(
        "the Keras port's image features without relu",
        inside("seen", "image_fc") + before(*_BOTH),
        keras_attribute("seen", "activation", keras.activations.linear),
        fix=("relu", "activation"),
        side="keras",
    ),
)

PAIR = ModelPair(
    "two inputs",
    sizes,
    build,
    TwoInputs,
    inputs,
    {"look": "conv", "shrink": "pool", "seen": "image_fc", "read": "gru", "decide": "out"},
    MISTAKES,
    (
        ("kernel of the convolution turned round", "recurrent bias left at zero"),
        ("update gate inverted", "sequence before image"),
    ),
)
