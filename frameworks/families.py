"""The names of activations: a plain name, or a family with its numbers, as in `leaky_relu(0.01)`.

Layers in ONNX files may have any numbers. The definitions are those of ONNX, where x is the activation's input:
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
"""The number of numbers in each family's name."""

T = TypeVar("T")


class ByName(Mapping[str, T]):
    """The implementations of activations in one package, by name; an activation of a family is made from its numbers.

    Args:
        plain: the implementations of activations without numbers; the mapping iterates over their names.
        families: functions from a family's numbers to the implementation, by family.
    """

    def __init__(self, plain: Mapping[str, T], families: Mapping[str, Callable[..., T]]) -> None:
        """Store both mappings."""
        self._plain, self._families = plain, families

    def __getitem__(self, name: str) -> T:
        """Return the implementation of a name."""
        if name in self._plain:
            return self._plain[name]
        family, numbers = split_name(name)
        return self._families[family](*numbers)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names without numbers."""
        return iter(self._plain)

    def __len__(self) -> int:
        """Count the names without numbers."""
        return len(self._plain)


def split_name(name: object) -> tuple[str, tuple[float, ...]]:
    """Return the family and the numbers in a name.

    Raises:
        KeyError: for a name that is not a family with its numbers.
    """
    match = re.fullmatch(r"([a-z_]+)\(([^()]{1,100})\)", name) if isinstance(name, str) else None
    try:
        numbers = tuple(float(number) for number in match[2].split(",")) if match else ()
    except ValueError:
        numbers = ()
    if not match or FAMILIES.get(match[1]) != len(numbers) or not all(map(math.isfinite, numbers)):
        raise KeyError(name)
    return match[1], numbers
