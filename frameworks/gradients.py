"""The gradients of one scalar with respect to weights, inputs and initial states, in the same shapes for every framework.

The scalar is the sum of all results of a call, each times its cotangent: sum(output * d_output) + sum(h_n * d_h_n) + ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frameworks.errors import InvalidValueError
from frameworks.layouts import Layout
from frameworks.output import RecurrentOutput
from frameworks.spec import RecurrentSpec
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class RecurrentGradients:
    """The gradients of one scalar.

    Args:
        weights: the gradients with respect to the weights, shaped like them and with the same gates.
        inputs: (batch, time, input).
        h_0: (layer * direction, batch, hidden).
        c_0: (layer * direction, batch, hidden), or None if there is no cell state.
    """

    weights: RecurrentWeights
    inputs: Array
    h_0: Array
    c_0: Array | None = None


def arrange(arrays: Sequence[Array], layout: Layout, spec: RecurrentSpec) -> RecurrentGradients:
    """Convert a framework's gradients to canonical form.

    Args:
        arrays: the gradients of the inputs, of each initial state, and of every stored array of the weights: layer by layer,
            direction by direction, in the order of `layout.names`.
        layout: the framework's table.
        spec: the spec of the layer.
    """
    inputs, *rest = arrays
    states, stored = rest[: len(spec.state_names)], iter(rest[len(spec.state_names) :])
    weights = tuple(
        tuple(
            layout.read_gradients({name: next(stored) for name in layout.names(spec)}, spec, layer)
            for _ in range(spec.num_directions)
        )
        for layer in range(spec.num_layers)
    )
    return RecurrentGradients(RecurrentWeights(weights).owned(), inputs, *states)


def check_cotangents(spec: RecurrentSpec, inputs: Array, cotangents: RecurrentOutput) -> tuple[Array, ...]:
    """Check that cotangents have the shapes and dtype of the results, and return them in the order of the results.

    Raises:
        GatewiseError: for an array that does not fit, with its name.
    """
    batch, time, _ = inputs.shape
    state = (spec.num_layers * spec.num_directions, batch, spec.hidden_size)
    shapes = {"output": (batch, time, spec.num_directions * spec.hidden_size), "h_n": state}
    if spec.has_cell_state:
        shapes["c_n"] = state
    arrays = {name: getattr(cotangents, name) for name in shapes}
    for name, shape in shapes.items():
        array = arrays[name]
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (shape, spec.dtype):
            is_array = isinstance(array, np.ndarray)
            raise InvalidValueError.because(
                f"the cotangent of {name}",
                must=f"be a {spec.dtype} array of shape {shape}",
                but=f"is {array.dtype} of {array.shape}" if is_array else f"is a {type(array).__name__}",
                remedy="Pass one number for each number that the layer returns.",
            )
    return tuple(arrays.values())
