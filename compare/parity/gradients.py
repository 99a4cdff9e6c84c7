"""Comparing the gradients of two layers: each layer with the gradients of the reference, then the two with each other.

The scalar that is differentiated is the same for all: the sum of every output and final state, each element times a fixed
random number, so that no error cancels by symmetry. The numbers are zero at masked steps if the two sides differ by design.

If one side has one bias and the other has two of which only the sum acts, each of the two has the gradient of the one bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.calls import Call
from compare.parity.difference import Difference, measure
from compare.parity.verdict import REFERENCES, Against, Comparison, Where, judge, place_state
from compare.parity.weights import place_weight
from frameworks.adapter import Adapter
from frameworks.gradients import RecurrentGradients
from frameworks.output import RecurrentOutput
from frameworks.reference.gradients import run_reference_gradients
from frameworks.spec import RecurrentSpec
from frameworks.weights import PARTS, DirectionWeights, RecurrentWeights

Array = npt.NDArray[Any]

PART_BY_PART = "gradients are compared part by part, not for the whole layer"

_NO_BIAS = "only one side has a bias, so its gradient is compared only with its reference"
_NOT_FINITE = (
    "the inputs are not finite at masked steps: a layer that computes these steps and discards the results, as Keras's do, "
    "has NaN in all gradients of its weights; fill the masked steps with zeros"
)


def compare_gradients(
    sides: tuple[Adapter, Adapter],
    weights: tuple[RecurrentWeights, RecurrentWeights],
    call: Call,
    tolerance: float,
    *,
    unsure: bool,
) -> list[Comparison]:
    """Compare the gradients of one call.

    Args:
        sides: the expected and the actual layer.
        weights: the weights of both.
        call: the call that is differentiated.
        tolerance: the allowed error as a share of max(1, max |expected|).
        unsure: whether the results of the call are ill-conditioned already.
    """
    spec = sides[0].spec
    cotangents = draw_cotangents(spec, call, alike=call.shown_alike(sides))
    gradients = [call.differentiate(side, cotangents) for side in sides]
    references = [_reference(one, side, call, cotangents) for one, side in zip(weights, sides, strict=True)]
    own, other = (
        list(_compare(one, two, spec, f"{side}, {call.label}", tolerance, against))
        for (side, against), one, two in zip(REFERENCES.items(), references, gradients, strict=True)
    )
    mutual = _compare(gradients[0], gradients[1], spec, f"actual, {call.label}", tolerance, Against.EXPECTED)
    return judge(own, [*other, *mutual], unsure=unsure)


def gradient_notes(sides: tuple[Adapter, Adapter], calls: Sequence[Call]) -> Iterator[str]:
    """Yield notes for the reader of compared gradients."""
    if sides[0].spec.bias != sides[1].spec.bias:
        yield _NO_BIAS
    if any(call.mask is not None and not np.isfinite(call.inputs[~call.mask]).all() for call in calls):
        yield _NOT_FINITE


def draw_cotangents(spec: RecurrentSpec, call: Call, *, alike: bool) -> RecurrentOutput:
    """Draw the factor of each output and final state in the scalar (seed 0), in the shapes of the results, input time order."""
    rng = np.random.default_rng(0)
    batch, time, _ = call.inputs.shape
    output = rng.standard_normal((batch, time, spec.num_directions * spec.hidden_size))
    if not alike and call.mask is not None:
        output = np.where(call.mask[..., None], output, 0)
    states = (rng.standard_normal((spec.num_layers * spec.num_directions, batch, spec.hidden_size)) for _ in spec.state_names)
    return RecurrentOutput(*(array.astype(spec.dtype) for array in (output, *states)))


def _reference(weights: RecurrentWeights, side: Adapter, call: Call, cotangents: RecurrentOutput) -> RecurrentGradients:
    gradients = run_reference_gradients(
        weights,
        side.spec,
        call.read_inputs,
        call.initial_state,
        call.read_mask,
        call.in_input_order(cotangents),
        zero_masked=side.zeroes_masked_steps,
    )
    return call.turn(gradients)


def _compare(
    expected: RecurrentGradients,
    actual: RecurrentGradients,
    spec: RecurrentSpec,
    subject: str,
    tolerance: float,
    against: Against,
) -> Iterator[Comparison]:
    def judged(array: str, difference: Difference, where: Where | None, place: str = "") -> Comparison:
        name = f"gradient of {array}{place} of {subject}"
        return Comparison.of(name, difference, where, tolerance, against, kind="gradient", array=array)

    difference = measure(expected.inputs, actual.inputs)
    yield judged("inputs", difference, _place_input(difference))
    for array in ("h_0", "c_0"):
        one, other = getattr(expected, array), getattr(actual, array)
        if one is not None and other is not None:
            difference = measure(one, other)
            yield judged(array, difference, place_state(difference, spec))
    for (layer, direction, one), (_, _, other) in zip(expected.weights, actual.weights, strict=True):
        for part, wanted, own in _pair_parts(one, other):
            difference = measure(wanted, own)
            where = place_weight(difference, part, one.gates, layer, direction)
            yield judged(part, difference, where, f" of layer {layer}, direction {direction}")


def _pair_parts(expected: DirectionWeights, actual: DirectionWeights) -> Iterator[tuple[str, Array, Array]]:
    """Yield the gradients of each part that either side has; for a missing second bias, that of the only bias is used."""
    one, other = dict(expected.arrays()), dict(actual.arrays())
    for part in PARTS:
        if part in one or part in other:
            wanted, own = (side.get(part, side.get("bias")) for side in (one, other))
            if wanted is not None and own is not None:
                yield part, wanted, own


def _place_input(difference: Difference) -> Where | None:
    if difference.index is None or difference.max_abs == 0:
        return None
    return dict(zip(("batch", "time step", "input"), difference.index, strict=True))
