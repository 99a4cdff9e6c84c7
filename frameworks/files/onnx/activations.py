"""The activations of ONNX's recurrent nodes.

Source: https://onnx.ai/onnx/operators/onnx__LSTM.html, "Activation functions".
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from frameworks.cells import CELLS, CellName
from frameworks.files.onnx.graph import Node
from frameworks.files.other_layers import NotUnderstoodError

_DEFAULTS: Mapping[str, tuple[str, ...]] = {
    name: ("Sigmoid",) * cell.gated + ("Tanh",) * len(cell.states) for name, cell in CELLS.items()
}
"""The defaults for the gates, the candidate and the output, as far as a cell has them."""
_FAMILIES: Mapping[str, tuple[str, tuple[float | None, ...]]] = MappingProxyType(
    {
        "relu": ("relu", ()),
        "tanh": ("tanh", ()),
        "sigmoid": ("sigmoid", ()),
        "softsign": ("softsign", ()),
        "softplus": ("softplus", ()),
        "affine": ("affine", (None, None)),
        "leakyrelu": ("leaky_relu", (0.01,)),
        "thresholdedrelu": ("thresholded_relu", (None,)),
        "scaledtanh": ("scaled_tanh", (None, None)),
        "hardsigmoid": ("hard_sigmoid", (0.2, 0.5)),
        "elu": ("elu", (1.0,)),
    }
)
"""By lower-case ONNX name: our name, and the default alpha and beta; None if ONNX has no default and runtimes differ."""
_NAMED: Mapping[tuple[str, tuple[float, ...]], str] = MappingProxyType(
    {
        ("affine", (1.0, 0.0)): "linear",
        ("scaled_tanh", (1.0, 1.0)): "tanh",
        ("thresholded_relu", (0.0,)): "relu",
        ("leaky_relu", (0.2,)): "leaky_relu",
        ("elu", (1.0,)): "elu",
        ("hard_sigmoid", (0.2, 0.5)): "keras2_hard_sigmoid",
        ("hard_sigmoid", (float(str(np.float32(1 / 6))), 0.5)): "hard_sigmoid",
    }
)
"""Activations that have a separate name for certain values of alpha and beta."""


def read_activations(node: Node, cell: CellName, ways: int) -> list[dict[str, Any]]:
    """Return the activations of each direction, as the options of a spec.

    Raises:
        NotUnderstoodError: for activations that ONNX does not define, or that no cell of either framework combines.
    """
    names = [str(name).lower() for name in _listed(node, "activations") or _DEFAULTS[cell] * ways]
    count = len(_DEFAULTS[cell])
    if len(names) != count * ways:
        raise NotUnderstoodError(f"its activations are {names[:8]}, too {'few' if len(names) < count * ways else 'many'}")
    activations = _with_numbers(node, names)
    rows = [activations[way * count : (way + 1) * count] for way in range(ways)]
    if any(len(set(row[1:])) > 1 for row in rows):
        raise NotUnderstoodError(f"its activations are {', '.join(activations)}: candidate and output have two activations")
    return [{"activation": row[-1], **({"recurrent_activation": row[0]} if CELLS[cell].gated else {})} for row in rows]


def _with_numbers(node: Node, names: list[str]) -> list[str]:
    """Return each activation with its alpha and beta. One that has neither consumes none of the numbers in the node."""
    numbers = [_listed(node, f"activation_{name}") for name in ("alpha", "beta")]
    activations = []
    for name in names:
        if name not in _FAMILIES:
            raise NotUnderstoodError(f"its activation {name[:100]!r} is not one of ONNX's")
        family, defaults = _FAMILIES[name]
        taken = tuple(_shortest(given.pop(0) if given else own) for given, own in zip(numbers, defaults, strict=False))
        activations.append(_NAMED.get((family, taken)) or (f"{family}({', '.join(map(repr, taken))})" if taken else family))
    if any(numbers):
        left = " and ".join(str(given) for given in numbers if given)
        raise NotUnderstoodError(f"its activations {', '.join(names)} do not use the numbers {left[:200]}")
    return activations


def _shortest(value: Any) -> float:
    """Return the number with the fewest digits that has this value in single precision."""
    if not isinstance(value, (int, float)) or not np.isfinite(value):
        raise NotUnderstoodError(f"its activations have the number {str(value)[:100]} where an alpha or beta is expected")
    return float(str(np.float32(value)))


def _listed(node: Node, name: str) -> list[Any]:
    given = node.attributes.get(name)
    return list(given) if isinstance(given, list) else []
