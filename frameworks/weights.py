"""The canonical form of recurrent weights: one axis per meaning, gates by name.

Equations, per direction, with gates g (Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html and
https://keras.io/api/layers/recurrent_layers/, which differ in names and storage only):

    pre_g[batch, hidden] = sum_input  x[batch, input] * kernel[g, input, hidden]       + bias[g, hidden]
                         + sum_hidden h[batch, hidden'] * recurrent_kernel[g, hidden', hidden] + recurrent_bias[g, hidden]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from frameworks.cells import GATES, cell_by_gates
from frameworks.errors import InvalidTypeError, InvalidValueError
from frameworks.spec import RecurrentSpec

Array = npt.NDArray[np.floating]

PARTS = ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
"""The arrays of one direction, in the order in which both frameworks name them."""
BIASES = ("bias", "recurrent_bias")


@dataclass(frozen=True, eq=False)
class DirectionWeights:
    """The weights of one direction of one layer.

    Args:
        gates: the names along axis 0 of every array.
        kernel: (gate, input, hidden).
        recurrent_kernel: (gate, hidden, hidden), from the previous hidden unit (second axis) to the next (third axis).
        bias: (gate, hidden), or None.
        recurrent_bias: (gate, hidden), added to the recurrent product; None if there is only one bias.

    Example:
        >>> import numpy as np
        >>> from gatewise import DirectionWeights
        >>> gates = ("input", "forget", "candidate", "output")
        >>> weights = DirectionWeights(gates, kernel=np.zeros((4, 3, 2)), recurrent_kernel=np.zeros((4, 2, 2)))
        >>> forget_kernel = weights.kernel[weights.gates.index("forget")]
        >>> forget_kernel.shape
        (3, 2)
    """

    gates: tuple[str, ...]
    kernel: Array
    recurrent_kernel: Array
    bias: Array | None = None
    recurrent_bias: Array | None = None

    def arrays(self) -> Iterator[tuple[str, Array]]:
        """Yield the name and the array of each part that is present."""
        for part in PARTS:
            array = getattr(self, part)
            if array is not None:
                yield part, array

    def in_order(self, gates: tuple[str, ...]) -> DirectionWeights:
        """Return the same weights with the gates along axis 0 in the given order; copies if the order differs."""
        if gates == self.gates:
            return self
        order = [self.gates.index(gate) for gate in gates]
        return replace(self, gates=gates, **{part: array[order] for part, array in self.arrays()})

    def summed_bias(self) -> Array | None:
        """Return the sum of both biases, (gate, hidden): exact where either is zero, otherwise rounded once."""
        if self.bias is None or self.recurrent_bias is None:
            return self.bias
        with np.errstate(invalid="ignore", over="ignore"):
            total: Array = self.bias + self.recurrent_bias
        # Adding zero would lose the sign of -0.0 and the payload of a NaN, but a round trip must keep every bit.
        np.copyto(total, self.bias, where=self.recurrent_bias == 0)
        return total

    def with_equal_biases(self, gates: tuple[str, ...]) -> DirectionWeights:
        """Return gradients whose recurrent bias equals the bias for these gates, whose two biases act only as a sum."""
        if not gates or self.bias is None or self.recurrent_bias is None:
            return self
        alike = np.isin(self.gates, gates)[:, None]
        return replace(self, recurrent_bias=np.where(alike, self.bias, self.recurrent_bias))

    def with_one_bias_for(self, gates: tuple[str, ...]) -> DirectionWeights:
        """Return the same weights with the two biases of these gates, which act only as a sum, added up in the first."""
        total = self.summed_bias()
        if not gates or total is None or self.bias is None or self.recurrent_bias is None:
            return self
        summed = np.isin(self.gates, gates)[:, None]
        second = np.where(summed, np.zeros_like(total), self.recurrent_bias)
        return replace(self, bias=np.where(summed, total, self.bias), recurrent_bias=second)


@dataclass(frozen=True, eq=False)
class RecurrentWeights:
    """The weights of all layers and directions, `layers[layer][direction]`; direction 1 is the backward one.

    Example:
        >>> from gatewise import RecurrentSpec, build
        >>> weights = build("pytorch", RecurrentSpec("gru", input_size=3, hidden_size=4, bidirectional=True)).get_weights()
        >>> weights.layers[0][1].kernel.shape
        (3, 3, 4)
    """

    layers: tuple[tuple[DirectionWeights, ...], ...]

    def __iter__(self) -> Iterator[tuple[int, int, DirectionWeights]]:
        """Yield layer, direction and weights, lower layers first, forward before backward."""
        for layer, directions in enumerate(self.layers):
            for direction, weights in enumerate(directions):
                yield layer, direction, weights

    def owned(self) -> RecurrentWeights:
        """Return a copy in canonical gate order, whose arrays own their data and are read-only."""
        return RecurrentWeights(tuple(tuple(_owned(weights) for weights in directions) for directions in self.layers))


def _owned(weights: DirectionWeights) -> DirectionWeights:
    ordered = weights.in_order(_canonical(weights.gates))
    copies: dict[str, Any] = {part: np.array(array, order="C") for part, array in ordered.arrays()}
    for array in copies.values():
        array.flags.writeable = False
    return replace(ordered, **copies)


def _canonical(gates: tuple[str, ...]) -> tuple[str, ...]:
    return next((order for order in GATES.values() if set(order) == set(gates)), gates)


def check_weights(weights: RecurrentWeights, spec: RecurrentSpec) -> None:
    """Check that weights fit a spec, before anything is written.

    Raises:
        GatewiseError: for a wrong number of layers, directions, gates or biases, and for a wrong shape or dtype.
    """
    if not isinstance(weights, RecurrentWeights):
        raise InvalidTypeError.because(
            "weights",
            must="be a RecurrentWeights",
            but=f"is a {type(weights).__name__}",
            remedy="Get them from get_weights() or build one from DirectionWeights.",
        )
    _check_nest("weights", "layers", weights.layers, spec.num_layers)
    for layer, directions in enumerate(weights.layers):
        _check_nest(f"layer {layer}", "directions", directions, spec.num_directions)
        for direction, one in enumerate(directions):
            _check_direction(one, spec, layer, f"layer {layer}, direction {direction}")


def _check_nest(subject: str, what: str, items: object, expected: int) -> None:
    if not isinstance(items, (tuple, list)):
        raise InvalidTypeError.because(
            f"the {what} of {subject}",
            must="be a tuple",
            but=f"are a {type(items).__name__}",
            remedy="Nest them as layers[layer][direction].",
        )
    if len(items) != expected:
        raise InvalidValueError.because(
            subject,
            must=f"have {expected} {what}",
            but=f"has {len(items)}",
            remedy="Check that these are the weights of this layer.",
        )


def _check_direction(weights: DirectionWeights, spec: RecurrentSpec, layer: int, place: str) -> None:
    if not isinstance(weights, DirectionWeights):
        raise InvalidTypeError.because(
            place,
            must="be a DirectionWeights",
            but=f"is a {type(weights).__name__}",
            remedy="Nest them as layers[layer][direction].",
        )
    for part in ("kernel", "recurrent_kernel"):
        if getattr(weights, part) is None:
            raise InvalidTypeError.because(
                f"{part} of {place}", must="be a NumPy array", but="is None", remedy="Only biases may be missing."
            )
    named: Any = weights.gates
    gates = [str(gate) for gate in (named if isinstance(named, (tuple, list)) else (named,))]
    if sorted(gates) != sorted(spec.gates):
        raise InvalidValueError.because(
            f"gates of {place}",
            must=f"be {', '.join(spec.gates)}",
            but=f"are {', '.join(gates)}",
            remedy=_whose(len(gates)),
        )
    if (weights.bias is None) is spec.bias:
        wanted, observed = ("a bias", "has none") if spec.bias else ("no bias", "has one")
        raise InvalidValueError.because(
            place, must=f"have {wanted}", but=observed, remedy="Build the layer with the same bias flag."
        )
    if weights.recurrent_bias is not None and (weights.bias is None or not spec.reset_after):
        raise InvalidValueError.because(
            f"recurrent_bias of {place}",
            must="be None here",
            but="is an array",
            remedy="Layers without a bias and GRUs with reset_after=False have no recurrent bias.",
        )
    if spec.has_two_biases and weights.recurrent_bias is None:
        raise InvalidValueError.because(
            f"recurrent_bias of {place}",
            must="be an array",
            but="is None",
            remedy="A GRU with reset_after=True has two biases; the one bias of a GRU with reset_after=False does not fit it.",
        )
    for part, array in weights.arrays():
        _check_array(f"{part} of {place}", array, shape_of(part, spec, layer), spec)


def shape_of(part: str, spec: RecurrentSpec, layer: int) -> tuple[int, ...]:
    """Return the canonical shape of one part of a layer's weights, gates first."""
    rows = {"kernel": (spec.layer_input_size(layer),), "recurrent_kernel": (spec.hidden_size,)}.get(part, ())
    return (len(spec.gates), *rows, spec.hidden_size)


def _check_array(subject: str, array: Array, shape: tuple[int, ...], spec: RecurrentSpec) -> None:
    if not isinstance(array, np.ndarray):
        raise InvalidTypeError.because(
            subject, must="be a NumPy array", but=f"is a {type(array).__name__}", remedy="Convert it with numpy.asarray."
        )
    if array.shape != shape:
        described = f"({shape[0]} gates, {', '.join(map(str, shape[1:]))})"
        raise InvalidValueError.because(
            subject, must=f"have shape {described}", but=f"has {array.shape}", remedy="Check the sizes."
        )
    if array.dtype != spec.dtype:
        raise InvalidTypeError.because(
            subject,
            must=f"have the layer's dtype {spec.dtype}",
            but=f"has {array.dtype}",
            remedy=f"Cast it with .astype({spec.dtype!r}) if that is what you want.",
        )


def _whose(count: int) -> str:
    cell = cell_by_gates(count)
    return f"Are these the gates of cell={cell.name!r}?" if cell else "Name the gates as frameworks.cells.GATES does."
