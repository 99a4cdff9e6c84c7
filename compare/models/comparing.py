"""`compare_models`: both models run on the same inputs, their layers are paired, and each pair is compared and run alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy.typing as npt

from compare.groundwork.progress import tell, track
from compare.groundwork.tolerance import TOLERANCES, choose_tolerance
from compare.models.allowance import Allowance
from compare.models.arguments import Arguments, arguments_of, parameters_of
from compare.models.comparison import Divergence, ModelComparison, Row
from compare.models.diverging import Sides, divergences, ordered
from compare.models.judged import Judged
from compare.models.judging import judge, judge_again
from compare.models.outside_masks import with_outside_masks
from compare.models.pairing.axes import difference
from compare.models.pairing.pairing import pair_calls
from compare.models.readers import without_false_leads, without_parts
from compare.models.recording.kept_states import remarks_on_states
from compare.models.recording.recorded import Recording
from compare.models.recording.recording import framework_of, record, remarks_on, require_built
from compare.models.rounding import nudge_all, nudged
from compare.models.unread import with_unread_arrays

Array = npt.NDArray[Any]
_HALF: Mapping[str, float] = {"float16": 1e-2, "bfloat16": 5e-2}
"""The tolerances of dtypes in which layers compute, but no recurrent layer is adapted."""
_ROUNDINGS = 4.0
"""How many times the effect of one rounding of all inputs and weights is allowed: rounding happens in every operation."""
_FURTHER = 20
"""How many divergences are described."""


def compare_models(
    expected: Any,
    actual: Any,
    inputs: Any = None,
    *,
    actual_inputs: Any = None,
    pairs: Mapping[str, str] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> ModelComparison:
    """Compare two whole models layer by layer, and find where they first part.

    Both are called in inference mode, and stay as they are.

    Args:
        expected: a keras.Model or a torch.nn.Module, or a single layer.
        actual: likewise, of either framework.
        inputs: one array, a tuple or list of arrays by position, or a mapping by the names of the Keras inputs or of the
            parameters of `forward`; drawn from a Keras model's inputs when None.
        actual_inputs: the same for the actual model, where it takes them laid out otherwise.
        pairs: names of expected layers and their partners, where the pairs found are to be overridden.
        tolerance: the allowed error as a share of max(1, max |expected|). When None, that of `check_parity` as a share of
            max |expected|, so that small numbers count as much as large ones, or what one rounding of inputs and weights makes
            of an array if that is more.
        seed: draws the inputs.

    Returns:
        The comparison, which is truthy if the results of the models agree. Its `inside` has the pairs that differ all the same.

    Raises:
        GatewiseError: for anything but two built models, and for inputs that they do not accept.

    Example:
        >>> import numpy as np, torch
        >>> from torch import nn
        >>> from gatewise import compare_models
        >>> right = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> port = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
        >>> port.load_state_dict(right.state_dict())
        <All keys matched successfully>
        >>> compare_models(right, port, np.ones((5, 3), "float32")).first.actual
        '1'
    """
    for model, which in ((expected, "the expected model"), (actual, "the actual model")):
        framework_of(model, which)
        require_built(model, which)
    choose_tolerance((), 1.0 if tolerance is None else tolerance)
    given = arguments_of(expected, actual, inputs, actual_inputs, seed)
    one = record(expected, given[0].positional, given[0].named, "the expected model")
    two = record(actual, given[1].positional, given[1].named, "the actual model")
    allowance = Allowance(_tolerance_of(one, two)) if tolerance is None else Allowance(tolerance, least=1.0)
    found = pair_calls(one.calls, two.calls, pairs)
    judged = [judge(each, allowance) for each in track(found, "layers")]
    single = judged[0] if len(judged) == 1 and judged[0].whole and judged[0].pair.natives == (expected, actual) else None
    error, allowed = _results(one, two, single, allowance)
    passed = error is not None and error <= allowed
    judged = with_outside_masks(judged, allowance, results_agree=passed)
    if tolerance is None and _may_be_rounding(error, allowed, judged):
        allowance = _with_rounding(expected, given[0], one, allowance)
        judged = [judge_again(each, allowance) for each in judged]
        error, allowed = _results(one, two, single, allowance)
        passed = error is not None and error <= allowed
        judged = with_outside_masks(judged, allowance, results_agree=passed)
    if passed:
        results = list(zip(one.outputs.values(), ordered(one.outputs, two.outputs), strict=True))
        judged = [with_unread_arrays(each, allowance.tolerance) for each in without_parts(judged, allowance, results)]
    else:
        judged = without_false_leads(judged, allowance)
    sides = Sides(one, two, list(_inputs_of_both(actual, *given)), judged, allowance)
    places = list(_some(divergences(sides, results_differ=not passed and single is None)))
    further = [each.in_short for each in places[1:]]
    notes = (*further, *_notes(sides, passed=passed), *remarks_on(expected, actual, one, two))
    return ModelComparison(
        passed, tuple(_rows(judged)), places[0] if places else None, error, allowed, tuple(places[1:]), notes
    )


def _some(found: Iterator[Divergence]) -> Iterator[Divergence]:
    for each in islice(found, _FURTHER):
        tell(each.place)
        yield each


def _tolerance_of(*recordings: Recording) -> float:
    known = {**TOLERANCES, **_HALF}
    return max((known[name] for each in recordings for name in each.dtypes if name in known), default=TOLERANCES["float32"])


def _may_be_rounding(error: float | None, allowed: float, judged: Sequence[Judged]) -> bool:
    differs = error is None or error > allowed
    return (differs and error != float("inf")) or any(each.verdict not in ("agrees", "no partner") for each in judged)


def _with_rounding(expected: Any, given: Arguments, one: Recording, allowance: Allowance) -> Allowance:
    """Return an allowance for what one rounding of inputs and weights makes of each layer's call, and of the results."""
    named = dict(zip(given.named, nudge_all(list(given.named.values())), strict=True))
    with nudged(expected):
        other = record(expected, nudge_all(given.positional), named, "the expected model")
    noise = {}
    for before, after in zip(one.calls, other.calls, strict=False):
        if before.native is after.native:
            arrays = ((before.inputs, after.inputs), (before.outputs, after.outputs))
            sizes = [max([difference(*pair) or 0.0 for pair in zip(*both, strict=False)], default=0.0) for both in arrays]
            noise[before.index] = (_ROUNDINGS * sizes[0], _ROUNDINGS * sizes[1])
    results = [difference(*each) or 0.0 for each in zip(one.outputs.values(), other.outputs.values(), strict=False)]
    return replace(allowance, noise=noise, results_noise=tuple(_ROUNDINGS * each for each in results))


def _results(one: Recording, two: Recording, single: Judged | None, allowance: Allowance) -> tuple[float | None, float]:
    """Return how far the results are apart and may be, for the one that is farthest beyond it; None for unlike shapes."""
    if single is not None:
        return single.output_error, single.allowed(allowance)
    allowed = [allowance.of_result(at, wanted) for at, wanted in enumerate(one.outputs.values())]
    if len(one.outputs) != len(two.outputs):
        return None, max(allowed, default=0.0)
    errors = [difference(*each) for each in zip(one.outputs.values(), ordered(one.outputs, two.outputs), strict=True)]
    known = [each for each in errors if each is not None]
    if len(known) < len(errors):
        return None, max(allowed)
    return max(zip(known, allowed, strict=True), key=_beyond, default=(0.0, 0.0))


def _beyond(result: tuple[float, float]) -> tuple[float, float]:
    error, allowed = result
    return (error / allowed if allowed else float("inf") if error else 0.0), allowed


def _inputs_of_both(actual: Any, one: Arguments, two: Arguments) -> Iterator[tuple[str, Array, Array]]:
    names = [*two.named] if two.named else parameters_of(actual)
    for at, (first, second) in enumerate(zip(one.arrays(), two.arrays(), strict=False)):
        name = names[at] if at < len(names) else f"input {at}"
        yield name, first if first.shape == second.shape else second, second


def _rows(judged: Sequence[Judged]) -> Iterator[Row]:
    """Yield one row per pair of layers, with the largest errors of all its calls."""
    by_names: dict[tuple[str | None, str | None], list[Judged]] = {}
    for each in judged:
        by_names.setdefault(each.pair.names, []).append(each)
    worst = ("wrong here", "input differs", "agrees", "no partner")
    for names, calls in by_names.items():
        off, output, alone = (
            _largest([getattr(each, name) for each in calls]) for name in ("input_error", "output_error", "alone_error")
        )
        yield Row(*names, off, output, alone, min((each.verdict for each in calls), key=worst.index))


def _largest(errors: Sequence[float | None]) -> float | None:
    known = [each for each in errors if each is not None]
    return max(known) if len(known) == len(errors) else None


def _notes(sides: Sides, *, passed: bool) -> Iterator[str]:
    alone = [("expected", each.pair.expected) for each in sides.judged if not each.pair.actual]
    alone += [("actual", each.pair.actual) for each in sides.judged if not each.pair.expected]
    for side in ("expected", "actual"):
        names = dict.fromkeys(calls[0].name for each, calls in alone if each == side)
        if names:
            yield f"without a partner in the other model: {', '.join(names)} of the {side} model"
    for side, recording in (("expected", sides.expected), ("actual", sides.actual)):
        yield from (f"the {side} model {note}" for note in recording.notes)
        if recording.uncalled:
            yield f"never called: {', '.join(recording.uncalled)} of the {side} model"
        yield from remarks_on_states(side, recording)
        if recording.draws:
            yield f"the {side} model draws random numbers in inference, so that each call returns something else"
    if passed:
        inside = dict.fromkeys(
            str(each.pair.names[1]) for each in sides.judged if each.verdict in ("wrong here", "input differs")
        )
        if inside:
            yield f"the results agree although these differ inside: {', '.join(inside)}"
    not_run = dict.fromkeys(
        str(each.pair.names[1])
        for each in sides.judged
        if each.alone_error is None and each.verdict != "no partner" and each.pair.actual[0].inputs
    )
    if not_run:
        yield f"not compared alone: {', '.join(not_run)}"


def assert_models_agree(
    expected: Any,
    actual: Any,
    inputs: Any = None,
    *,
    actual_inputs: Any = None,
    pairs: Mapping[str, str] | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Compare two whole models as `compare_models` does, and raise an AssertionError that says where they first part.

    Args:
        expected: a keras.Model or a torch.nn.Module.
        actual: likewise, of either framework.
        inputs: as in `compare_models`.
        actual_inputs: as in `compare_models`.
        pairs: as in `compare_models`.
        tolerance: as in `compare_models`.
        seed: draws the inputs.

    Raises:
        AssertionError: if the models' results differ.
        GatewiseError: as in `compare_models`.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> from gatewise import assert_models_agree
        >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        >>> assert_models_agree(model, model, np.ones((2, 3), "float32"))
    """
    __tracebackhide__ = True
    compared = compare_models(
        expected, actual, inputs, actual_inputs=actual_inputs, pairs=pairs, tolerance=tolerance, seed=seed
    )
    if not compared:
        raise AssertionError(str(compared))
