"""Activations that Keras 3 does not have by name: functions to pass to its layers, saved and loaded by a registered name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import keras
from keras import ops

from frameworks.errors import NoCounterpartError
from frameworks.families import FAMILIES, ByName, split_name


@keras.saving.register_keras_serializable(package="gatewise")  # type: ignore[untyped-decorator]
def keras2_hard_sigmoid(x: Any) -> Any:
    """Compute the hard_sigmoid of Keras 2: 0.2 x + 0.5, clipped to [0, 1]."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


_FAMILIES: Mapping[str, Callable[..., Any]] = {
    "affine": lambda x, a, b: a * x + b,
    "elu": lambda x, a: ops.where(x > 0, x, a * ops.expm1(ops.minimum(x, 0))),
    "hard_sigmoid": lambda x, a, b: ops.clip(a * x + b, 0.0, 1.0),
    "leaky_relu": lambda x, a: ops.where(x > 0, x, a * x),
    "scaled_tanh": lambda x, a, b: a * ops.tanh(b * x),
    "thresholded_relu": lambda x, a: ops.where(x > a, x, ops.zeros_like(x)),
}


@keras.saving.register_keras_serializable(package="gatewise")
class OfFamily:
    """An activation of a family with its numbers.

    Args:
        name: a name such as "leaky_relu(0.01)", see `frameworks.families`.
    """

    def __init__(self, name: str) -> None:
        """Parse the name."""
        self.name = name
        self._family, self._numbers = split_name(name)

    def __call__(self, x: Any) -> Any:
        """Apply the activation."""
        return _FAMILIES[self._family](x, *self._numbers)

    def get_config(self) -> dict[str, Any]:
        """Return the name, which determines everything else."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> OfFamily:
        """Make the activation from its name."""
        return cls(**config)


def _named(family: str, *numbers: float) -> OfFamily:
    return OfFamily(f"{family}({', '.join(map(repr, numbers))})")


ADDED: Mapping[str, Callable[[Any], Any]] = ByName(
    {"keras2_hard_sigmoid": keras2_hard_sigmoid}, {family: partial(_named, family) for family in FAMILIES}
)
"""These activations, by name in `frameworks.activations`."""


def find_activation(name: str) -> Callable[[Any], Any]:
    """Return the function of an activation, given its name in `frameworks.activations`.

    Raises:
        NoCounterpartError: for an activation that this version of Keras lacks.
    """
    function: Callable[[Any], Any] | None = ADDED.get(name) or getattr(keras.activations, name, None)
    if function is None:
        raise NoCounterpartError.because(
            f"the activation {name!r}",
            must="exist in Keras",
            but=f"is missing in Keras {keras.__version__}",
            remedy="Install a newer Keras.",
        )
    return function
