"""Comparing weights in canonical form by their effect; a difference in them explains every later difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import Difference, measure
from compare.parity.verdict import Against, Comparison, Where
from frameworks.weights import DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]


def compare_weights(expected: RecurrentWeights, actual: RecurrentWeights, tolerance: float) -> Iterator[Comparison]:
    """Compare weights part by part; two biases are compared by their sum if only the sum acts."""
    for (layer, direction, one), (_, _, other) in zip(expected, actual, strict=True):
        theirs = dict(_acting_parts(other))
        for part, array in _acting_parts(one):
            difference = measure(array, theirs.get(part, np.zeros_like(array)))
            gates = one.gates if part != "recurrent_bias" else ("candidate",)
            where = place_weight(difference, part, gates, layer, direction)
            name = f"{part} of layer {layer}, direction {direction}"
            yield Comparison.of(name, difference, where, tolerance, Against.EXPECTED, kind="weights")


def place_weight(difference: Difference, part: str, gates: tuple[str, ...], layer: int, direction: int) -> Where | None:
    """Return the place of an index into a part of one direction's weights, whose first axis is the gate, by axis name."""
    if difference.index is None or difference.max_abs == 0:
        return None
    gate, *rows, unit = difference.index
    row = {"from unit" if part == "recurrent_kernel" else "input": rows[0]} if rows else {}
    return {"layer": layer, "direction": direction, "gate": gates[gate], **row, "unit": unit}


def _acting_parts(weights: DirectionWeights) -> Iterator[tuple[str, Array]]:
    """Yield the arrays on which the results depend: biases are summed, unless the reset gate acts on only one of them."""
    yield "kernel", weights.kernel
    yield "recurrent_kernel", weights.recurrent_kernel
    hidden = weights.kernel.shape[2]
    zeros = np.zeros((len(weights.gates), hidden))
    with np.errstate(invalid="ignore"):
        bias = zeros if weights.bias is None else weights.bias.astype(np.float64)
        second = zeros if weights.recurrent_bias is None else weights.recurrent_bias.astype(np.float64)
        total = bias + second
    if "reset" in weights.gates:
        candidate = weights.gates.index("candidate")
        total[candidate] = bias[candidate]
        yield "bias", total
        yield "recurrent_bias", second[candidate][None]
    else:
        yield "bias", total
