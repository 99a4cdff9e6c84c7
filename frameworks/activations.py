"""The activations by name, in NumPy: what the reference computes with.

Names and definitions are Keras 3's (https://keras.io/api/layers/activations/), except `keras2_hard_sigmoid`, which is what
`hard_sigmoid` meant before Keras 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Activation = Callable[[Array], Array]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + exp(-x)); an overflow of exp gives the right limit, 0."""
    with np.errstate(over="ignore"):
        result: Array = 1 / (1 + np.exp(-x))
    return result


def _softmax(x: Array) -> Array:
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    result: Array = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def _sparsemax(x: Array) -> Array:
    """Compute what Keras 3.15 calls sparsemax: its threshold adds up the running sums, where the paper takes the last one.

    Source: keras/src/backend/*/nn.py; the paper is https://arxiv.org/abs/1602.02068, algorithm 1.
    """
    ordered = -np.sort(-x, axis=-1)
    sums = np.cumsum(ordered, axis=-1)
    supported = ordered - (sums - 1) / np.arange(1, x.shape[-1] + 1) > 0
    threshold = (np.where(supported, sums, 0).sum(axis=-1, keepdims=True) - 1) / supported.sum(axis=-1, keepdims=True)
    result: Array = np.maximum(x - threshold, 0)
    return result


ACTIVATIONS: Mapping[str, Activation] = MappingProxyType(
    {
        "linear": lambda x: x,
        "tanh": np.tanh,
        "sigmoid": sigmoid,
        "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
        "keras2_hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
        "relu": lambda x: np.maximum(x, 0),
        "relu6": lambda x: np.clip(x, 0, 6),
        "leaky_relu": lambda x: np.where(x >= 0, x, 0.2 * x),
        "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "celu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
        "selu": lambda x: 1.0507009873554804934 * np.where(x > 0, x, 1.6732632423543772848 * np.expm1(np.minimum(x, 0))),
        "softplus": _softplus,
        "softsign": lambda x: x / (1 + np.abs(x)),
        "silu": lambda x: x * sigmoid(x),
        "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
        "hard_tanh": lambda x: np.clip(x, -1, 1),
        "tanh_shrink": lambda x: x - np.tanh(x),
        "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
        "mish": lambda x: x * np.tanh(_softplus(x)),
        "exponential": np.exp,
        "log_sigmoid": lambda x: -_softplus(-x),
        "softmax": _softmax,
        "log_softmax": _log_softmax,
        "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
        "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
        "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
        "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
        "sparsemax": _sparsemax,
        "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    }
)

KERAS2_NAMES: Mapping[str, str] = MappingProxyType({"hard_sigmoid": "keras2_hard_sigmoid", "swish": "silu"})
"""What Keras before Keras 3 called otherwise than it is called here, or called the same and meant something else."""
