"""Weights of both frameworks, stored by hand with NumPy, for tests of the diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt

from compare.diagnosis.weights.claims import explain_weights
from compare.diagnosis.weights.observed import Observed
from compare.diagnosis.weights.origins import Right
from frameworks import DirectionWeights, RecurrentSpec, RecurrentWeights
from frameworks.layouts import KERAS, PYTORCH

Array = npt.NDArray[np.floating]
Place = tuple[int, int]
LAYOUTS = {"keras": KERAS, "pytorch": PYTORCH}
TORCH_ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}
"""The gates in torch's order, by their numbers in Keras's."""


def draw(spec: RecurrentSpec, seed: int = 0, *, two_biases: bool | None = None) -> RecurrentWeights:
    """Draw weights as large as trained ones, with biases that are not zero."""
    rng = np.random.default_rng(seed)
    gates, units = len(spec.gates), spec.hidden_size
    two = spec.has_two_biases if two_biases is None else two_biases

    def direction(layer: int) -> DirectionWeights:
        width = spec.input_size if layer == 0 else spec.hidden_size * spec.num_directions
        shapes = ((gates, width, units), (gates, units, units), (gates, units), (gates, units))
        kernel, recurrent, bias, second = (rng.normal(0, 0.5, shape).astype(spec.dtype) for shape in shapes)
        return DirectionWeights(spec.gates, kernel, recurrent, bias, second if two else None)

    return RecurrentWeights(
        tuple(tuple(direction(layer) for _ in range(spec.num_directions)) for layer in range(spec.num_layers))
    )


def in_torch(matrix: Array, cell: str) -> Array:
    """Return (gate hidden, row), as torch stores a matrix, from (gate, row, hidden) in Keras's order."""
    return np.concatenate([matrix[gate].T for gate in TORCH_ORDER[cell]])


def from_torch(stored: Array, cell: str) -> Array:
    """Return (gate, row, hidden) in Keras's order of a matrix that torch stores."""
    blocks = np.split(stored, len(TORCH_ORDER[cell]))
    return np.stack([blocks[TORCH_ORDER[cell].index(gate)].T for gate in range(len(blocks))])


def in_keras(matrix: Array) -> Array:
    """Return (row, gate hidden), as Keras stores a matrix."""
    return np.concatenate(list(matrix), axis=1)


def from_keras(stored: Array, cell: str) -> Array:
    """Return (gate, row, hidden) of a matrix that Keras stores."""
    return np.stack(np.split(stored, len(TORCH_ORDER[cell]), axis=1))


def with_arrays(weights: RecurrentWeights, changes: Mapping[Place, Mapping[str, Array]]) -> RecurrentWeights:
    """Return weights of which some arrays are others."""
    return RecurrentWeights(
        tuple(
            tuple(replace(one, **dict(changes.get((layer, side), {}))) for side, one in enumerate(row))  # type: ignore[arg-type]
            for layer, row in enumerate(weights.layers)
        )
    )


def everywhere(spec: RecurrentSpec) -> list[Place]:
    """Return every layer and direction."""
    return list(product(range(spec.num_layers), range(spec.num_directions)))


def observe(
    right: RecurrentWeights, port: RecurrentWeights, spec: RecurrentSpec, source: str = "keras", target: str = "pytorch"
) -> Observed:
    """Explain the weights of a port."""
    return explain_weights(port, Right(right, spec, LAYOUTS[source], LAYOUTS[target]))
