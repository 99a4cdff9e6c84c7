"""Keras's initialisers in torch: the distribution of each name, for torch's transposed weights.

Source: keras/src/initializers/random_initializers.py. A Keras kernel is (fan in, fan out), and a torch weight its transpose.
All gates are in one array, so the fan out includes every gate, and a single orthogonal matrix covers them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch.nn import init

from frameworks.errors import InvalidValueError

Initialiser = Callable[[torch.Tensor], object]
"""A function that fills a tensor in place: a weight, (fan out, fan in); a convolution, (fan out, fan in, *window); a bias,
(units,); or the two biases of a GRU, (units, 2), which Keras draws as one array."""

_TRUNCATED = 0.87962566103423978
"""The standard deviation of a standard normal distribution truncated at two: Keras divides by it."""


def _scaled(scale: float, mode: str, distribution: str) -> Initialiser:
    """Return the initialiser that Keras calls VarianceScaling."""

    def fill(weight: torch.Tensor) -> None:
        # As in Keras's compute_fans, both fans of a vector are its length.
        fan_out, fan_in = (size * math.prod(weight.shape[2:]) for size in (weight.shape[0], weight.shape[:2][-1]))
        variance = scale / max(1.0, fan_in if mode == "fan_in" else (fan_in + fan_out) / 2)
        if distribution == "uniform":
            limit = math.sqrt(3 * variance)
            init.uniform_(weight, -limit, limit)
        else:
            _fill_truncated(weight, math.sqrt(variance) / _TRUNCATED)

    return fill


def _fill_truncated(weight: torch.Tensor, deviation: float) -> None:
    init.trunc_normal_(weight, std=deviation, a=-2 * deviation, b=2 * deviation)


INITIALISERS: Mapping[str, Initialiser] = MappingProxyType(
    {
        "zeros": init.zeros_,
        "ones": init.ones_,
        "identity": init.eye_,
        "orthogonal": init.orthogonal_,
        "random_normal": lambda weight: init.normal_(weight, std=0.05),
        "random_uniform": lambda weight: init.uniform_(weight, -0.05, 0.05),
        "truncated_normal": lambda weight: _fill_truncated(weight, 0.05),
        "glorot_uniform": _scaled(1.0, "fan_avg", "uniform"),
        "glorot_normal": _scaled(1.0, "fan_avg", "normal"),
        "he_uniform": _scaled(2.0, "fan_in", "uniform"),
        "he_normal": _scaled(2.0, "fan_in", "normal"),
        "lecun_uniform": _scaled(1.0, "fan_in", "uniform"),
        "lecun_normal": _scaled(1.0, "fan_in", "normal"),
    }
)
"""The initialisers by name in Keras, with Keras's default arguments."""


def check_initialiser(initialiser: object, subject: str) -> None:
    """Check that an initialiser is the name of a Keras initialiser or a function.

    Args:
        initialiser: the value to check.
        subject: the argument's name, for messages.

    Raises:
        GatewiseError: for anything else.
    """
    known = initialiser in INITIALISERS if isinstance(initialiser, str) else callable(initialiser)
    if not known:
        raise InvalidValueError.because(
            subject,
            must=f"be one of {', '.join(INITIALISERS)}, or a function that fills a torch tensor",
            but=f"is {initialiser!r}",
            remedy="Pass a function of torch.nn.init, in a lambda if it needs arguments.",
        )


def fill(tensor: torch.Tensor, initialiser: str | Initialiser) -> None:
    """Fill a tensor in place, without recording it for autograd.

    Args:
        tensor: a tensor of a shape that an `Initialiser` accepts.
        initialiser: a name or function that `check_initialiser` accepts.
    """
    function = INITIALISERS[initialiser] if isinstance(initialiser, str) else initialiser
    # torch cannot draw an orthogonal matrix in half precision.
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else torch.empty_like(tensor, dtype=torch.float32)
    with torch.no_grad():
        function(wide)
        if wide is not tensor:
            tensor.copy_(wide)
