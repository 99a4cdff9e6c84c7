"""Conv1D, BatchNormalization, pooling and two LSTM layers; in torch channels first, and one nn.LSTM of two layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch
from torch import nn

from tests.acceptance.models.altering import array, arrays_of, attribute, calls, exchanged, keras_attribute, one, several, zero
from tests.acceptance.models.cases import Inputs, Mistake, ModelPair, Sizes, around, before, inside
from tests.acceptance.models.drawing import different, normal
from tests.acceptance.models.weights import copy_convolution, copy_dense, copy_normalisation, copy_recurrent


def sizes(rng: np.random.Generator) -> Sizes:
    batch, time = different(rng, 5, 12, 2)
    features, filters, units, classes = different(rng, 13, 30, 4)
    dilation = int(rng.integers(1, 3))
    return {
        "batch": batch,
        "time": 2 * time,
        "features": features,
        "filters": 2 * filters,
        "units": 2 * units,
        "classes": classes,
        "width": int(rng.choice([3, 5])),
        "dilation": dilation,
    }


def build(s: Sizes) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None, s["features"])),
            layers.Conv1D(
                s["filters"], s["width"], padding="same", dilation_rate=s["dilation"], activation="relu", name="convolution"
            ),
            layers.BatchNormalization(name="norm"),
            layers.MaxPooling1D(2, name="pool"),
            layers.LSTM(s["units"], return_sequences=True, name="lower"),
            layers.LSTM(s["units"], name="upper"),
            layers.Dense(s["classes"], activation="sigmoid", name="out"),
        ]
    )


class Signal(nn.Module):
    def __init__(self, s: Sizes) -> None:
        super().__init__()
        self.stack = nn.LSTM(s["filters"], s["units"], num_layers=2, batch_first=True)
        self.head = nn.Linear(s["units"], s["classes"])
        self.c = nn.Conv1d(s["features"], s["filters"], s["width"], padding="same", dilation=s["dilation"])
        self.bn = nn.BatchNorm1d(s["filters"], eps=1e-3)
        self.shrink = nn.MaxPool1d(2)

    def fill(self, model: Any) -> None:
        copy_convolution(self.c, model.get_layer("convolution"))
        copy_normalisation(self.bn, model.get_layer("norm"))
        copy_recurrent(self.stack, model.get_layer("lower"), model.get_layer("upper"))
        copy_dense(self.head, model.get_layer("out"))

    def filter(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(torch.relu(self.c(x)))  # type: ignore[no-any-return]  # a module returns Any

    def in_time_order(self, x: torch.Tensor) -> torch.Tensor:
        return x.transpose(1, 2)

    def summary(self, output: torch.Tensor, h_n: torch.Tensor) -> torch.Tensor:
        return h_n[-1]

    def decide(self, scores: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(scores)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.shrink(self.filter(x.transpose(1, 2)))
        output, (h_n, _) = self.stack(self.in_time_order(x))
        return self.decide(self.head(self.summary(output, h_n)))


def inputs(rng: np.random.Generator, s: Sizes) -> tuple[Inputs, Inputs]:
    drawn = (normal(rng, s["batch"], s["time"], s["features"]),)
    return drawn, drawn


def causal(port: Any) -> None:
    """Pad on the left alone."""
    reach = port.c.dilation[0] * (port.c.kernel_size[0] - 1)
    port.c.padding = (reach,)
    port.filter = lambda x: port.bn(torch.relu(port.c(x)[..., : x.shape[-1]]))


_CONV = ("convolution", "c")
_STACK = ("lower upper", "stack")
_OUT = ("out", "head")
MISTAKES = (
    Mistake("epsilon of BatchNorm1d left at 1e-5", inside("norm", "bn"), attribute("bn.eps", 1e-5), fix=("eps",)),
    Mistake(
        "running statistics not copied",
        inside("norm", "bn"),
        several(array("bn.running_mean", zero), array("bn.running_var", one)),
        fix=("running", "statistic", "moving"),
    ),
    Mistake(
        "variance copied as a standard deviation",
        inside("norm", "bn"),
        array("bn.running_var", np.sqrt),
        fix=("running_var", "variance", "statistic"),
    ),
    Mistake(
        "kernel of the convolution reversed",
        inside(*_CONV),
        array("c.weight", lambda values: values[..., ::-1].copy()),
        fix=("kernel", "weight", "flip", "revers"),
    ),
    Mistake("causal padding where both sides are padded", around(*_CONV), causal, fix=("pad",)),
    Mistake("padding with the edge", inside(*_CONV), attribute("c.padding_mode", "replicate"), fix=("pad",)),
    Mistake("dilation forgotten", inside(*_CONV), attribute("c.dilation", (1,)), fix=("dilation",), sizes={"dilation": 2}),
    Mistake(
        "relu forgotten",
        inside(*_CONV) + before("norm", "bn"),
        calls(filter=lambda self, x: self.bn(self.c(x))),
        fix=("relu", "activation"),
    ),
    Mistake(
        "relu after the normalisation",
        inside(*_CONV) + before("norm", "bn"),
        calls(filter=lambda self, x: torch.relu(self.bn(self.c(x)))),
        fix=("relu", "activation"),
    ),
    Mistake(
        "mean instead of maximum", inside("pool", "shrink"), attribute("shrink", nn.AvgPool1d(2)), fix=("max", "Max", "pool")
    ),
    Mistake(
        "upper layer's bias in both biases",
        inside(*_STACK),
        lambda port: array("stack.bias_hh_l1", lambda _: port.stack.bias_ih_l1.detach().numpy())(port),
        identifiers=("bias-doubled",),
    ),
    Mistake(
        "layers of the stack exchanged",
        inside(*_STACK),
        exchanged(arrays_of("stack", "l0"), arrays_of("stack", "l1")),
        identifiers=("layers-swapped",),
        sizes={"filters": 14, "units": 14},
    ),
    Mistake("state of the lower layer", before(*_OUT), calls(summary=lambda self, output, h_n: h_n[0]), fix=("h_n", "layer")),
    Mistake(
        "first step instead of the last",
        before(*_OUT),
        calls(summary=lambda self, output, h_n: output[:, 0]),
        fix=("[:, -1]", "last", "h_n"),
    ),
    Mistake(
        "mean over time",
        before(*_OUT),
        calls(summary=lambda self, output, h_n: output.mean(dim=1)),
        fix=("[:, -1]", "last", "h_n"),
    ),
    Mistake("sigmoid forgotten", around(*_OUT), calls(decide=lambda self, scores: scores), fix=("sigmoid", "activation")),
    Mistake(
        "channels reshaped to time instead of transposed",
        before("lower upper", "stack"),
        calls(in_time_order=lambda self, x: x.reshape(x.shape[0], x.shape[2], x.shape[1])),
        fix=("transpos", "permut", "reshape", "axes"),
    ),
    Mistake(
        "the Keras port's epsilon as in torch",
        inside("norm", "bn"),
        keras_attribute("norm", "epsilon", 1e-5),
        fix=("eps",),
        side="keras",
    ),
)

PAIR = ModelPair(
    "Conv, BatchNorm and stacked LSTM",
    sizes,
    build,
    Signal,
    inputs,
    {"convolution": "c", "norm": "bn", "pool": "shrink", "lower": "stack", "upper": "stack", "out": "head"},
    MISTAKES,
    (
        ("epsilon of BatchNorm1d left at 1e-5", "upper layer's bias in both biases"),
        ("kernel of the convolution reversed", "running statistics not copied"),
        ("dilation forgotten", "first step instead of the last"),
    ),
)
