"""The kinds of layers that stand for each other in a model and its port, under one name for all frameworks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from frameworks.kinds.pytorch import PYTORCH

AxesRule = Literal["elementwise", "last", "channels", "any"]
"""How a layer treats axes: each number alone; the last axis; the channel axis, which frameworks put elsewhere; unknown."""


@dataclass(frozen=True)
class Family:
    """Kinds that compute the same in their frameworks.

    Args:
        name: its name for readers.
        group: what it can be mistaken for: families of one group stand in the same place of a model.
        axes: how it treats axes.
        activation: the name in `frameworks.activations` of the function that it computes.
        opaque: whether it is one layer for a reader, although it is made of others.
    """

    name: str
    group: str = ""
    axes: AxesRule = "any"
    activation: str = ""
    opaque: bool = False


def _activations() -> Iterable[tuple[Family, tuple[str, ...]]]:
    for name, activation, classes in (
        ("relu", "relu", ("ReLU",)),
        ("sigmoid", "sigmoid", ("Sigmoid",)),
        ("tanh", "tanh", ("Tanh",)),
        ("elu", "elu", ("ELU",)),
        ("selu", "selu", ("SELU",)),
        ("celu", "celu", ("CELU",)),
        ("gelu", "gelu", ("GELU",)),
        ("silu", "silu", ("SiLU",)),
        ("mish", "mish", ("Mish",)),
        ("softplus", "softplus", ("Softplus",)),
        ("softsign", "softsign", ("Softsign",)),
        ("leaky relu", "leaky_relu", ("LeakyReLU",)),
        ("relu6", "relu6", ("ReLU6",)),
        ("hard sigmoid", "hard_sigmoid", ("Hardsigmoid",)),
        ("hard swish", "hard_silu", ("Hardswish",)),
        ("hard tanh", "hard_tanh", ("Hardtanh",)),
        ("log sigmoid", "log_sigmoid", ("LogSigmoid",)),
        ("prelu", "", ("PReLU",)),
        ("activation", "", ("Activation", "ThresholdedReLU", "Threshold")),
    ):
        yield Family(name, "activation", "elementwise", activation), classes
    yield Family("softmax", "activation", "any", "softmax"), ("Softmax",)
    yield Family("log softmax", "activation", "any", "log_softmax"), ("LogSoftmax",)


def _listed() -> Iterable[tuple[Family, tuple[str, ...]]]:
    yield from _activations()
    yield Family("dense", "linear", "last"), ("Dense", "EinsumDense", "NonDynamicallyQuantizableLinear")
    yield Family("embedding", "embedding", "elementwise"), ("Embedding", "ReversibleEmbedding")
    for rank in (1, 2, 3):
        yield Family(f"convolution {rank}d", "convolution", "channels"), (f"Conv{rank}D", f"Conv{rank}d")
        yield (
            Family(f"transposed convolution {rank}d", "convolution", "channels"),
            (f"Conv{rank}DTranspose", f"ConvTranspose{rank}d"),
        )
        for name, keras, torch in (("max", "Max", "Max"), ("average", "Average", "Avg")):
            yield Family(f"{name} pooling {rank}d", "pooling", "channels"), (f"{keras}Pooling{rank}D", f"{torch}Pool{rank}d")
            yield (
                Family(f"global {name} pooling {rank}d", "pooling", "channels"),
                (f"Global{keras}Pooling{rank}D", f"Adaptive{torch}Pool{rank}d"),
            )
    yield Family("batch norm", "normalisation", "channels"), ("BatchNormalization",)
    yield Family("layer norm", "normalisation", "last"), ("LayerNormalization",)
    yield Family("group norm", "normalisation", "channels"), ("GroupNormalization", "GroupNorm")
    yield Family("rms norm", "normalisation", "last"), ("RMSNormalization", "RMSNorm")
    yield Family("instance norm", "normalisation", "channels"), tuple(f"InstanceNorm{rank}d" for rank in (1, 2, 3))
    yield Family("attention", "attention", opaque=True), ("MultiHeadAttention", "MultiheadAttention")
    dropouts = ("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "FeatureAlphaDropout")
    yield (
        Family("dropout", "dropout", "elementwise"),
        (*dropouts, *(f"{name}{rank}{d}" for rank in (1, 2, 3) for name, d in (("Dropout", "d"), ("SpatialDropout", "D")))),
    )
    yield Family("identity", "identity", "elementwise"), ("Identity",)
    yield Family("flatten", "shape"), ("Flatten",)


def _by_class() -> dict[str, Family]:
    known = {name: family for family, names in _listed() for name in names}
    known |= {kind.name: known[kind.means] for kind in PYTORCH if kind.means in known and kind.name not in known}
    return known


FAMILIES: Mapping[str, Family] = MappingProxyType(_by_class())
"""By the name of a class of any framework; those with a Keras kind in torch's table are of the family of that kind."""


def family_of(name: str) -> Family:
    """Return the family of a class by its name; a class that is unknown is a family of its own."""
    return FAMILIES.get(name) or Family(name.lower())


def family_computing(activation: str, default: Family) -> Family:
    """Return the family of layers that compute an activation, by its name in `frameworks.activations`."""
    return next((family for family in FAMILIES.values() if activation and family.activation == activation), default)
