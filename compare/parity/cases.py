"""The default grid of parity cases, and the weights drawn for them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import numpy.typing as npt

from frameworks.cells import CELLS
from frameworks.spec import DTypeName, RecurrentSpec
from frameworks.weights import BIASES, PARTS, DirectionWeights, RecurrentWeights, shape_of

_CELLS = tuple((cell.name, activation) for cell in CELLS.values() for activation in cell.torch_activations)
_DTYPES: tuple[DTypeName, ...] = ("float32", "float64")
Origin = Literal["keras", "pytorch"]
ORIGINS: tuple[Origin, ...] = ("keras", "pytorch")


@dataclass(frozen=True)
class Case:
    """One layer to convert and compare.

    Args:
        spec: the spec of the layer; input and hidden size differ, as do the batch and time sizes of the calls.
        origin: the framework from which it is converted.
    """

    spec: RecurrentSpec
    origin: Origin

    @property
    def name(self) -> str:
        """A name for reports and test ids."""
        spec = self.spec
        kind = f"{spec.cell} ({spec.activation})" if spec.record.takes_nonlinearity else spec.cell
        parts = (
            kind,
            f"{spec.num_layers} {'layers' if spec.num_layers > 1 else 'layer'}",
            "bidirectional" if spec.bidirectional else "one direction",
            "bias" if spec.bias else "no bias",
            spec.dtype,
            f"{spec.input_size} to {spec.hidden_size}",
            f"from {self.origin}",
        )
        return ", ".join(parts)


def _make_grid() -> tuple[Case, ...]:
    cases = []
    for index, ((cell, activation), layers, bidirectional, dtype) in enumerate(product(_CELLS, (1, 2), (False, True), _DTYPES)):
        # Half of all combinations: each bias and origin occurs with each cell, depth, direction and dtype, not with each tuple.
        bits = [int(bit) for bit in f"{index:05b}"]
        bias, origin = sum(bits[2:]) % 2 == 0, ORIGINS[(bits[1] + bits[3] + bits[4]) % 2]
        spec = RecurrentSpec(cell, 3 + index % 4, 7 + index % 3, layers, bidirectional, bias, dtype, activation)
        cases.append(Case(spec, origin))
    return tuple(cases)


GRID: tuple[Case, ...] = _make_grid()


def draw_weights(spec: RecurrentSpec, seed: int, scale: float = 0.4) -> RecurrentWeights:
    """Draw weights with random biases instead of zeros, so that no mistake in copying them stays hidden.

    Args:
        spec: the spec of the layer.
        seed: the seed of NumPy's generator.
        scale: the standard deviation, small enough to keep the states away from saturation and chaos.
    """
    rng = np.random.default_rng(seed)
    biases = BIASES[: 1 + spec.has_two_biases] if spec.bias else ()
    parts = [part for part in PARTS if part not in BIASES or part in biases]

    def draw(part: str, layer: int) -> npt.NDArray[np.floating]:
        return rng.normal(0, scale, shape_of(part, spec, layer)).astype(spec.dtype)

    return RecurrentWeights(
        tuple(
            tuple(
                DirectionWeights(spec.gates, **{part: draw(part, layer) for part in parts}) for _ in range(spec.num_directions)
            )
            for layer in range(spec.num_layers)
        )
    )
