"""The arrays and options of a module of torch, from the operator that computes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from frameworks.files.onnx.graph import Node
from frameworks.files.untrusted.derived_arrays import derived, reshaped, strided
from frameworks.files.untrusted.source import Array, StoredArray
from frameworks.kinds import Operator

_SAME, _RESHAPED = ("Identity", "Cast", "Transpose"), ("Unsqueeze", "Reshape")
_TURNED = [1, 0]
_MOST_MOVES = 8


@dataclass(frozen=True, eq=False)
class Constant:
    """An input that the file stores.

    Args:
        name: the array's name in the graph.
        source: the array in the file.
        array: the input: the same, or the matrix that the graph turns.
    """

    name: str
    source: StoredArray
    array: StoredArray


def constant(name: str, node: Node, *, flat: bool = False) -> Constant | None:
    """Return an input of a node if the file stores it, perhaps under another name, in half precision, or turned.

    Args:
        name: the input.
        node: the node.
        flat: whether only its elements count, and not its axes.
    """
    turns = 0
    for _ in range(_MOST_MOVES):
        array = node.scope.arrays.get(name)
        if array is not None:
            return Constant(name, array, turned(array) if turns % 2 else array)
        maker = node.maker(name)
        if maker is None or not maker.is_standard or maker.kind not in (*_SAME, *_RESHAPED * flat):
            return None
        if maker.kind == "Transpose":
            if maker.attributes.get("perm", _TURNED) != _TURNED:
                return None
            turns += 1
        name, node = maker.inputs[0], maker
    return None


def turned(matrix: StoredArray) -> StoredArray:
    """Return a matrix with its axes exchanged, read on demand; any other array unchanged."""
    if len(matrix.shape) != 2:
        return matrix
    rows, columns = matrix.shape
    return strided(reshaped(matrix, (rows * columns,)), 0, (columns, rows), (1, columns), "a matrix of the graph")


def _scaled(array: StoredArray, factor: float) -> StoredArray:
    """Return an array times a factor, computed when it is read."""

    def fetch(first: int, size: int) -> Array:
        part = replace(array, shape=(size,), start=array.start + first * array.dtype.itemsize).read()
        return np.asarray(part * part.dtype.type(factor))

    return derived(array.shape, array.dtype.newbyteorder("="), fetch)


def arrays_of(node: Node, operator: Operator, constants: Mapping[str, Constant]) -> dict[str, StoredArray] | None:
    """Return the arrays as the module has them, by torch's names; None if it cannot have arrays of these shapes."""
    arrays = {name: each.array for name, each in constants.items()}
    first = next(iter(arrays))
    if operator.is_turned(node.attributes):
        arrays[first] = turned(arrays[first])
    if operator.flattened:
        shape = arrays[first].shape
        if max(shape, default=1) != math.prod(shape):
            return None
        arrays[first] = reshaped(arrays[first], (math.prod(shape),))
    for name, attribute in operator.factors.items():
        factor = node.attributes.get(attribute, 1.0)
        if not isinstance(factor, (int, float)):
            return None
        if name in arrays and factor != 1:
            arrays[name] = _scaled(arrays[name], factor)
    return arrays


def options_of(node: Node, operator: Operator) -> dict[str, Any]:
    """Return the options of the module, by torch's names."""
    options = {}
    for attribute, (option, default) in operator.options.items():
        value = _plain(node.attributes.get(attribute, default))
        options[option] = round(1 - value, 12) if option in operator.complement else value
    if operator.padded:
        options |= {"padding": _padding(node), "padding_mode": "zeros"}
    return options


def _plain(value: Any) -> Any:
    """Return a list as a tuple, and a float with the fewest digits that single precision needs."""
    if isinstance(value, list):
        return tuple(value)
    return float(str(np.float32(value))) if isinstance(value, float) else value


def _padding(node: Node) -> Any:
    """Return the padding as torch writes it; where both ends differ, which torch cannot, a pair for each axis."""
    automatic = node.attributes.get("auto_pad", "NOTSET")
    if automatic != "NOTSET":
        return {"SAME_UPPER": "same", "VALID": 0}.get(automatic, automatic)
    pads = node.attributes.get("pads") or [0]
    before, after = pads[: (len(pads) + 1) // 2], pads[len(pads) // 2 :]
    return tuple(before) if before == after else tuple(zip(before, after, strict=False))
