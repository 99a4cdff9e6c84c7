"""Checking that two recurrent layers are the same: their weights, each layer with its reference, and both with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy.typing as npt

from compare.groundwork.calls import Call, draw_calls, given_call, require_mapping
from compare.groundwork.tolerance import choose_tolerance
from compare.parity.difference import measure
from compare.parity.gradients import PART_BY_PART, compare_gradients, gradient_notes
from compare.parity.keras_returns import compare_own_calls
from compare.parity.naming import name_mistake
from compare.parity.part_by_part import compare_composites
from compare.parity.remarks import name_differences, remarks
from compare.parity.verdict import REFERENCES, Against, Comparison, ParityResult, judge, place_output, place_state
from compare.parity.weights import compare_weights
from frameworks import RecurrentOutput, RecurrentSpec, RecurrentWeights, adapt
from frameworks.adapter import Adapter
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.reference.forward import run_reference
from frameworks.whole_models import WholeModelError, pair_up

Array = npt.NDArray[Any]

__all__ = ["ParityResult", "assert_parity", "check_parity"]

_SIZES = ("cell", "input_size", "hidden_size", "num_layers", "bidirectional", "dtype")
_MEANINGS = ("activation", "recurrent_activation", "reset_after")


def check_parity(  # noqa: PLR0913  all but three by name
    expected: Any,
    actual: Any,
    inputs: Array | None = None,
    *,
    initial_state: Array | tuple[Array, ...] | None = None,
    mask: Array | None = None,
    tolerance: float | None = None,
    keras_call: Mapping[str, Any] | None = None,
    gradients: bool = False,
    seed: int = 0,
) -> ParityResult:
    """Check whether two recurrent layers, of the same or different frameworks, compute the same.

    These are compared:

    * the weights; two biases by their sum if only the sum acts;
    * the results of each layer with a float64 reference computed from the layer's own weights;
    * the results of the two layers with each other;
    * the return values of a Keras layer's own call with those that `returns_map` computes from the other layer's results.

    Unless inputs are passed, they are drawn, and the layers run from zeros and from random initial states. With a
    mask, masked steps are compared with the rule of each layer's own framework, and with each other if the rules agree.

    Args:
        expected: a layer that `adapt` accepts, or an adapter.
        actual: likewise, with the same cell, sizes and dtype.
        inputs: (batch, time, input), in the layers' dtype; drawn when None.
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden).
        mask: (batch, time) bool, True at valid steps; torch's own modules accept only right padding.
        tolerance: the allowed error as a share of max(1, max |expected|); when None, 1e-5 for float32 and 1e-12 for float64.
        keras_call: `mask` and `initial_state` in the form of a Keras call, instead of the arguments above.
        gradients: whether to compare gradients too, with respect to inputs, initial states and every weight, including frozen
            ones, see `compare.parity.gradients`.
        seed: the seed of drawn inputs and states.

    Returns:
        The result, which is truthy if everything agrees; `str(result)` is a report.

    Raises:
        GatewiseError: if the two cannot be compared, and for arguments that do not fit them.

    Example:
        >>> import torch
        >>> from gatewise import check_parity, convert
        >>> layer = torch.nn.GRU(3, 4)
        >>> bool(check_parity(layer, convert(layer, to="keras")))
        True
        >>> result = check_parity(layer, torch.nn.GRU(3, 4))
        >>> result.verdict, result.cause.name
        ('failed', 'kernel of layer 0, direction 0')
    """
    require_mapping(keras_call)
    try:
        sides = adapt(expected), adapt(actual)
    except WholeModelError:
        raise pair_up("check_parity", expected, actual) from None
    except GatewiseError:
        check_part = partial(check_parity, tolerance=tolerance, gradients=gradients, seed=seed)
        whole_call = {"mask": mask, **(keras_call or {})}
        result = None if initial_state is not None else compare_composites(expected, actual, inputs, whole_call, check_part)
        if result is None:
            raise
        return replace(result, notes=(*result.notes, PART_BY_PART)) if gradients else result
    _require_comparable(*sides)
    is_given = inputs is not None or initial_state is not None or mask is not None or keras_call
    given = given_call(sides, inputs, initial_state, mask, keras_call) if is_given else None
    calls = (given,) if given is not None else draw_calls(sides, seed)
    allowed = choose_tolerance(sides, tolerance)
    weights = sides[0].get_weights(), sides[1].get_weights()
    comparisons = list(compare_weights(*weights, allowed))
    differences = tuple(name_differences(sides[0].spec, sides[1].spec, _MEANINGS))
    notes = list(remarks(sides, {call.mask is not None for call in calls}))
    if gradients:
        notes += gradient_notes(sides, calls)
    same = all(comparison.max_abs == 0 for comparison in comparisons) and sides[0].spec == sides[1].spec
    for call in calls:
        of_call = _compare_call(sides, weights, call, allowed, same_weights=same)
        if gradients:
            unsure = any(each.ill_conditioned for each in of_call)
            of_call += compare_gradients(sides, weights, call, allowed, unsure=unsure)
        comparisons += of_call
    result = ParityResult(tuple(comparisons), allowed, tuple(dict.fromkeys(notes)), differences)
    # Computed now and not when it is printed: the layers may change after the check.
    return replace(result, diagnosis=name_mistake(sides, given, allowed, seed)) if result.can_be_named else result


def assert_parity(
    expected: Any,
    actual: Any,
    inputs: Array | None = None,
    *,
    initial_state: Array | tuple[Array, ...] | None = None,
    mask: Array | None = None,
    tolerance: float | None = None,
    keras_call: Mapping[str, Any] | None = None,
    gradients: bool = False,
) -> None:
    """Check parity as `check_parity` does, and raise an AssertionError that states what differs, where and by how much.

    Args:
        expected: a layer that `adapt` accepts, or an adapter.
        actual: likewise, with the same cell, sizes and dtype.
        inputs: (batch, time, input), in the layers' dtype; drawn when None.
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden).
        mask: (batch, time) bool, True at valid steps.
        tolerance: the allowed error, as in `check_parity`.
        keras_call: the arguments of a Keras call, as in `check_parity`.
        gradients: whether to compare gradients too.

    Raises:
        AssertionError: if something differs, or if the layer is too ill-conditioned for a verdict.
        GatewiseError: as in `check_parity`.

    Example:
        >>> import torch
        >>> from gatewise import assert_parity, convert
        >>> layer = torch.nn.LSTM(3, 4)
        >>> assert_parity(layer, convert(layer, to="keras"))
    """
    __tracebackhide__ = True
    try:
        result = check_parity(
            expected,
            actual,
            inputs,
            initial_state=initial_state,
            mask=mask,
            tolerance=tolerance,
            keras_call=keras_call,
            gradients=gradients,
        )
    except WholeModelError:
        raise pair_up("assert_parity", expected, actual) from None
    if not result:
        raise AssertionError(str(result))


def _require_comparable(expected: Adapter, actual: Adapter) -> None:
    for name in _SIZES:
        wanted, own = getattr(expected.spec, name), getattr(actual.spec, name)
        if wanted != own:
            raise InvalidValueError.because(
                f"{name} of actual",
                must=f"be the expected layer's, {wanted!r}",
                but=f"is {own!r}",
                remedy="Layers of different shapes or dtypes cannot be the same: compare a layer with its own port.",
            )


def _compare_call(
    sides: tuple[Adapter, Adapter],
    weights: tuple[RecurrentWeights, RecurrentWeights],
    call: Call,
    tolerance: float,
    *,
    same_weights: bool,
) -> list[Comparison]:
    results = tuple(call.run(side) for side in sides)
    alike = call.shown_alike(sides)
    references = [_reference(weights[0], sides[0], call)]
    references.append(references[0] if same_weights and alike else _reference(weights[1], sides[1], call))
    spec = sides[0].spec
    own, other = (
        list(_compare_outputs(f"{side}, {call.label}", reference, result, spec, None, tolerance, against))
        for (side, against), reference, result in zip(REFERENCES.items(), references, results, strict=True)
    )
    steps = None if alike else call.mask
    mutual = list(_compare_outputs(f"actual, {call.label}", results[0], results[1], spec, steps, tolerance, Against.EXPECTED))
    mutual += compare_own_calls(sides, results, call, tolerance)
    return judge(own, other + mutual)


def _reference(weights: RecurrentWeights, side: Adapter, call: Call) -> RecurrentOutput:
    result = run_reference(
        weights, side.spec, call.read_inputs, call.initial_state, call.read_mask, zero_masked=side.zeroes_masked_steps
    )
    return call.in_input_order(result)


def _compare_outputs(
    subject: str,
    expected: RecurrentOutput,
    actual: RecurrentOutput,
    spec: RecurrentSpec,
    steps: Array | None,
    tolerance: float,
    against: Against,
) -> Iterator[Comparison]:
    for array in ("output", "h_n", "c_n"):
        one, other = getattr(expected, array), getattr(actual, array)
        if one is None or other is None:
            continue
        difference = measure(one, other, steps if array == "output" else None)
        place = place_output if array == "output" else place_state
        yield Comparison.of(f"{array} of {subject}", difference, place(difference, spec), tolerance, against, array=array)
