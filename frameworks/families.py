"""What activations are called: by a name, or by that of a family and its numbers, as in `leaky_relu(0.01)`.

Layers of an ONNX file may have any numbers there. The definitions are ONNX's, x being what the activation is given:
affine(a, b) is a x + b; elu(a) is a (exp x - 1) below 0; hard_sigmoid(a, b) is a x + b clipped to [0, 1]; leaky_relu(a) is a x
below 0; scaled_tanh(a, b) is a tanh(b x); thresholded_relu(a) is x above a and 0 elsewhere.

Source: https://onnx.ai/onnx/operators/onnx__LSTM.html, "Activation functions".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

FAMILIES: Mapping[str, int] = MappingProxyType(
    {"affine": 2, "elu": 1, "hard_sigmoid": 2, "leaky_relu": 1, "scaled_tanh": 2, "thresholded_relu": 1}
)
"""How many numbers each family takes."""

T = TypeVar("T")


class ByName(Mapping[str, T]):
    """What stands for activations in some package, by their names; of a family, what is made of its numbers.

    Args:
        plain: by the name of each activation that has no numbers; what the mapping iterates over.
        families: by the name of each family, the function from its numbers.
    """

    def __init__(self, plain: Mapping[str, T], families: Mapping[str, Callable[..., T]]) -> None:
        """Take both."""
        self._plain, self._families = plain, families

    def __getitem__(self, name: str) -> T:
        """Look a name up."""
        if name in self._plain:
            return self._plain[name]
        family, numbers = split_name(name)
        return self._families[family](*numbers)

    def __iter__(self) -> Iterator[str]:
        """Give the names without numbers."""
        return iter(self._plain)

    def __len__(self) -> int:
        """Count the names without numbers."""
        return len(self._plain)


def split_name(name: object) -> tuple[str, tuple[float, ...]]:
    """Give the family that a name is of, and its numbers.

    Raises:
        KeyError: for another name.
    """
    found = re.fullmatch(r"([a-z_]+)\(([^()]{1,100})\)", name) if isinstance(name, str) else None
    try:
        numbers = tuple(float(number) for number in found[2].split(",")) if found else ()
    except ValueError:
        numbers = ()
    if not found or FAMILIES.get(found[1]) != len(numbers) or not all(map(math.isfinite, numbers)):
        raise KeyError(name)
    return found[1], numbers
