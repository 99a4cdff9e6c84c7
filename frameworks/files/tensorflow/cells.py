"""Finding the cells of TensorFlow 1 in a checkpoint, by the names that TensorFlow gives to their variables.

Source: python/ops/rnn_cell_impl.py and contrib/rnn/python/ops/lstm_ops.py of TensorFlow 1.15, and their earlier versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from frameworks.cells import CellName
from frameworks.files.keras.config import snake
from frameworks.files.untrusted.source import StoredArray


@dataclass(frozen=True)
class CellClass:
    """A class of cells.

    Args:
        name: its name in TensorFlow.
        cell: the cell that it computes.
        forget_bias: the constant that it adds to its forget gate by default.
    """

    name: str
    cell: CellName
    forget_bias: float = 1.0


CLASSES: Mapping[str, CellClass] = MappingProxyType(
    {
        "basic_lstm_cell": CellClass("BasicLSTMCell", "lstm"),
        "lstm_cell": CellClass("LSTMCell", "lstm"),
        "lstm_fused_cell": CellClass("LSTMBlockFusedCell", "lstm"),
        "cudnn_compatible_lstm_cell": CellClass("CudnnCompatibleLSTMCell", "lstm", forget_bias=0.0),
        "gru_cell": CellClass("GRUCell", "gru"),
        "basic_rnn_cell": CellClass("BasicRNNCell", "rnn"),
    }
)
"""The classes by the names of their variable scopes."""

_OLD_NAMES = {
    "weights": "kernel", "biases": "bias", "linear/matrix": "kernel", "linear/bias": "bias",
    "gates/weights": "gates/kernel", "gates/biases": "gates/bias",
    "candidate/weights": "candidate/kernel", "candidate/biases": "candidate/bias",
    "gates/linear/matrix": "gates/kernel", "gates/linear/bias": "gates/bias",
    "candidate/linear/matrix": "candidate/kernel", "candidate/linear/bias": "candidate/bias",
    "w_ru": "gates/kernel", "b_ru": "gates/bias", "w_c": "candidate/kernel", "b_c": "candidate/bias",
}  # fmt: skip
"""How earlier versions, and GRUBlockCell, name the arrays."""
_NUMBERED = re.compile(r"cell_?(\d{1,3})")
_CELL = re.compile(r"(\w+_cell)(_\d+)?")
_STACK, _WAYS = "multi_rnn_cell", ("fw", "bw")


@dataclass
class FoundCell:
    """A cell in a checkpoint.

    Args:
        scope: the name of its variable scope, without a number.
        arrays: its arrays by their current names.
        names: their names in the file.
    """

    scope: str
    arrays: dict[str, StoredArray] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


@dataclass
class FoundLayer:
    """The cells that one call runs: by direction ("" if there is only one), then by their place in a stack."""

    name: str
    cells: dict[str, dict[int, FoundCell]] = field(default_factory=dict)
    stacked: bool = False


def collect_cells(arrays: Mapping[str, StoredArray]) -> tuple[list[FoundLayer], dict[str, StoredArray]]:
    """Return the layers of TensorFlow 1 among variables, and all variables that belong to none.

    Args:
        arrays: the variables of a model by name.
    """
    of_keras = {name.rpartition("/")[0] for name in arrays if name.endswith("/recurrent_kernel")}
    layers: dict[tuple[str, str], FoundLayer] = {}
    left: dict[str, StoredArray] = {}
    for name, array in arrays.items():
        parts = name.split("/")
        own = [at for at, part in enumerate(parts[:-1]) if _is_cell(part)]
        if not own or "/".join(parts[:-1]) in of_keras:
            left[name] = array
            continue
        _place(layers, parts, own[-1], name, array)
    prefixes = [prefix for prefix, _ in layers]
    for (prefix, scope), layer in layers.items():
        layer.name = prefix if prefixes.count(prefix) == 1 and prefix else f"{prefix}/{scope}".strip("/")
    return list(layers.values()), left


def _place(layers: dict[tuple[str, str], FoundLayer], parts: list[str], at: int, name: str, array: StoredArray) -> None:
    """Put an array into its cell, whose scope is `parts[at]`."""
    scope, before, place, way = parts[at], parts[:at], 0, ""
    number = _NUMBERED.fullmatch(snake(before[-1])) if before else None
    stacked = number is not None and len(before) > 1 and snake(before[-2]) == _STACK
    if number is not None and stacked:
        place, before, scope = int(number[1]), before[:-2], _STACK
    if before and before[-1].lower() in _WAYS:
        way, before, scope = before[-1].lower(), before[:-1], ""
    layer = layers.setdefault(("/".join(before), scope), FoundLayer(""))
    layer.stacked = layer.stacked or stacked
    match = _CELL.fullmatch(snake(parts[at]))
    cell = layer.cells.setdefault(way, {}).setdefault(place, FoundCell(match[1] if match else ""))
    leaf = "/".join(parts[at + 1 :])
    cell.arrays[_OLD_NAMES.get(leaf.lower(), leaf)] = array
    cell.names.append(name)


def _is_cell(part: str) -> bool:
    match = _CELL.fullmatch(snake(part))
    return match is not None and match[1] != _STACK
