"""The activations by name, in NumPy, with their vector-Jacobian products; the reference computes with them.

Names and definitions are those of Keras 3 (https://keras.io/api/layers/activations/), except `keras2_hard_sigmoid`, the
`hard_sigmoid` of Keras 2. The families are those of ONNX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from frameworks.families import ByName

Array = npt.NDArray[np.floating]
Activation = Callable[[Array], Array]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + exp(-x)); where exp overflows, the result is the correct limit, 0."""
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
    """Compute sparsemax as in Keras 3.15: its threshold adds up all supported running sums; the paper uses only the last.

    Source: keras/src/backend/*/nn.py; the paper is https://arxiv.org/abs/1602.02068, algorithm 1.
    """
    sums, supported = _support(-np.sort(-x, axis=-1))
    threshold = (np.where(supported, sums, 0).sum(axis=-1, keepdims=True) - 1) / supported.sum(axis=-1, keepdims=True)
    result: Array = np.maximum(x - threshold, 0)
    return result


def _support(ordered: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Return the running sums of numbers in descending order, and whether each is supported, that is, in the threshold."""
    sums = np.cumsum(ordered, axis=-1)
    return sums, ordered - (sums - 1) / np.arange(1, ordered.shape[-1] + 1) > 0


ACTIVATIONS: Mapping[str, Activation] = ByName(
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
    },
    {
        "affine": lambda a, b: lambda x: a * x + b,
        "elu": lambda a: lambda x: np.where(x > 0, x, a * np.expm1(np.minimum(x, 0))),
        "hard_sigmoid": lambda a, b: lambda x: np.clip(a * x + b, 0, 1),
        "leaky_relu": lambda a: lambda x: np.where(x >= 0, x, a * x),
        "scaled_tanh": lambda a, b: lambda x: a * np.tanh(b * x),
        "thresholded_relu": lambda a: lambda x: np.where(x > a, x, 0),
    },
)

KERAS2_NAMES: Mapping[str, str] = MappingProxyType({"hard_sigmoid": "keras2_hard_sigmoid", "swish": "silu"})
"""The names used here for activations that Keras 2 named differently, or defined differently under the same name."""

Derivative = Callable[[Array], Array | npt.NDArray[np.bool_]]
Product = Callable[[Array, Array], Array]
"""Maps the input of an activation and the gradient of its output to the gradient of its input."""


def _elementwise(derivative: Derivative) -> Product:
    return lambda x, dy: dy * derivative(x)


def _of_family(derivative: Callable[..., Derivative]) -> Callable[..., Product]:
    return lambda *numbers: _elementwise(derivative(*numbers))


def _pull_softmax(x: Array, dy: Array) -> Array:
    y = _softmax(x)
    result: Array = y * (dy - (dy * y).sum(axis=-1, keepdims=True))
    return result


def _pull_log_softmax(x: Array, dy: Array) -> Array:
    result: Array = dy - _softmax(x) * dy.sum(axis=-1, keepdims=True)
    return result


def _pull_sparsemax(x: Array, dy: Array) -> Array:
    """Pull back through `_sparsemax`, whose threshold counts each number once for every supported sum that contains it."""
    order = np.argsort(-x, axis=-1, kind="stable")
    _, supported = _support(np.take_along_axis(x, order, axis=-1))
    shares = np.cumsum(supported[..., ::-1], axis=-1)[..., ::-1] / supported.sum(axis=-1, keepdims=True)
    kept = np.where(_sparsemax(x) > 0, dy, 0)
    through = np.take_along_axis(kept, order, axis=-1) - shares * kept.sum(axis=-1, keepdims=True)
    result: Array = np.empty_like(through)
    np.put_along_axis(result, order, through, axis=-1)
    return result


def _gelu_derivative(x: Array) -> Array:
    result: Array = 0.5 * (1 + _erf(x / math.sqrt(2))) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return result


def _mish_derivative(x: Array) -> Array:
    t = np.tanh(_softplus(x))
    result: Array = t + x * (1 - t * t) * sigmoid(x)
    return result


_DERIVATIVES: Mapping[str, Derivative] = {
    "linear": np.ones_like,
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "sigmoid": lambda x: sigmoid(x) * sigmoid(-x),
    "hard_sigmoid": lambda x: (np.abs(x) < 3) / 6,
    "keras2_hard_sigmoid": lambda x: (np.abs(x) <= 2.5) * 0.2,
    "relu": lambda x: x > 0,
    "relu6": lambda x: (x > 0) & (x < 6),
    "leaky_relu": lambda x: np.where(x > 0, 1, 0.2),
    "elu": lambda x: np.exp(np.minimum(x, 0)),
    "celu": lambda x: np.exp(np.minimum(x, 0)),
    "selu": lambda x: 1.0507009873554804934 * np.where(x > 0, 1, 1.6732632423543772848 * np.exp(np.minimum(x, 0))),
    "softplus": sigmoid,
    "softsign": lambda x: 1 / (1 + np.abs(x)) ** 2,
    "silu": lambda x: sigmoid(x) * (1 + x * sigmoid(-x)),
    "hard_silu": lambda x: np.clip(x / 6 + 0.5, 0, 1) + x * (np.abs(x) < 3) / 6,
    "hard_tanh": lambda x: np.abs(x) < 1,
    "tanh_shrink": lambda x: np.tanh(x) ** 2,
    "gelu": _gelu_derivative,
    "mish": _mish_derivative,
    "exponential": np.exp,
    "log_sigmoid": lambda x: sigmoid(-x),
    "hard_shrink": lambda x: np.abs(x) > 0.5,
    "soft_shrink": lambda x: np.abs(x) > 0.5,
    "sparse_plus": lambda x: np.clip((x + 1) / 2, 0, 1),
    "sparse_sigmoid": lambda x: (np.abs(x) < 1) / 2,
    "squareplus": lambda x: (1 + x / np.sqrt(x * x + 4)) / 2,
}
"""The derivatives of the activations that act elementwise."""

_DERIVATIVES_OF_FAMILIES: Mapping[str, Callable[..., Derivative]] = {
    "affine": lambda a, _: lambda x: np.full_like(x, a),
    "elu": lambda a: lambda x: np.where(x > 0, 1, a * np.exp(np.minimum(x, 0))),
    "hard_sigmoid": lambda a, b: lambda x: a * ((a * x + b >= 0) & (a * x + b <= 1)),
    "leaky_relu": lambda a: lambda x: np.where(x > 0, 1, a),
    "scaled_tanh": lambda a, b: lambda x: a * b * (1 - np.tanh(b * x) ** 2),
    "thresholded_relu": lambda a: lambda x: x > a,
}

PRODUCTS: Mapping[str, Product] = ByName(
    {
        **{name: _elementwise(derivative) for name, derivative in _DERIVATIVES.items()},
        "softmax": _pull_softmax,
        "log_softmax": _pull_log_softmax,
        "sparsemax": _pull_sparsemax,
    },
    {name: _of_family(derivative) for name, derivative in _DERIVATIVES_OF_FAMILIES.items()},
)
"""The vector-Jacobian product of each of `ACTIVATIONS`.

At a point without a derivative, it is the product that Keras and torch both use. Where Keras's backends disagree with each
other (selu, celu and hard_tanh) or with torch (clipping by sparse_sigmoid), it is the product that most of them use.
"""
