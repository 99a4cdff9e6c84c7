"""`compare_models`: both models run on the same inputs, their layers are paired, and each pair is compared and run alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.diagnosing import diagnose
from compare.models.between import explain_between
from compare.models.comparison import Divergence, ModelComparison, Row
from compare.models.other_layers import explain_other
from compare.models.pairing import Pair, pair
from compare.models.recording import Recorded, arrays_in, framework_of, record
from compare.models.running import run_alone, whole_results
from compare.tolerance import TOLERANCES
from frameworks.errors import InvalidTypeError
from frameworks.output import RecurrentOutput

Array = npt.NDArray[Any]


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

    Args:
        expected: a keras.Model or a torch.nn.Module.
        actual: likewise, of either framework.
        inputs: one array, a tuple or list of arrays, or a mapping by name; drawn from a Keras model's inputs when None.
        actual_inputs: where the actual model takes them laid out otherwise.
        pairs: names of expected layers and their partners, where the pairs found are to be overridden.
        tolerance: the allowed error as a share of max(1, max |expected|); when None, 1e-5 for a layer on its own.
        seed: draws the inputs.

    Returns:
        The comparison, which is truthy if the results of the models agree.

    Raises:
        GatewiseError: for anything but two models, and for inputs that they do not take.
    """
    for each in (expected, actual):
        framework_of(each)
    positional, named = _inputs(expected, actual, inputs, seed)
    other, other_named = (positional, named) if actual_inputs is None else _given(actual_inputs)
    one, two = record(expected, positional, named), record(actual, other, other_named)
    allowed = tolerance if tolerance is not None else TOLERANCES["float32"]
    compared = [_compare(each, allowed) for each in pair(one.calls, two.calls, pairs)]
    error = _largest(one.outputs, two.outputs)
    scale = max([1.0, *(float(np.abs(array).max(initial=0)) for array in one.outputs if array.dtype.kind == "f")])
    passed = error is not None and error <= max(allowed, 1e-5) * scale
    first = _first(compared, allowed, passed=passed)
    notes = tuple(_notes(compared, passed=passed))
    return ModelComparison(passed, tuple(each.row for each in compared), None if passed else first, error, notes)


@dataclass(frozen=True, eq=False)
class Compared:
    """A pair, and its row."""

    pair: Pair
    row: Row
    whole: tuple[RecurrentOutput, RecurrentOutput] | None = None


def _inputs(expected: Any, actual: Any, inputs: Any, seed: int) -> tuple[list[Array], dict[str, Array]]:
    if inputs is not None:
        return _given(inputs)
    keras_model = next((each for each in (expected, actual) if framework_of(each) == "keras"), None)
    specs = getattr(keras_model, "inputs", None)
    if not specs:
        raise InvalidTypeError.because(
            "inputs",
            must="be passed",
            but="are None, and neither model states its inputs",
            remedy="Pass an array, a tuple of arrays, or a mapping by name.",
        )
    rng = np.random.default_rng(seed)
    drawn = []
    for spec in specs:
        shape = [3 if index == 0 else size or 7 for index, size in enumerate(spec.shape)]
        whole = np.dtype(getattr(spec.dtype, "name", spec.dtype))
        drawn.append(
            rng.integers(0, _vocabulary(keras_model), shape).astype(whole)
            if whole.kind in "iu"
            else rng.standard_normal(shape).astype(whole)
        )
    return drawn, {}


def _vocabulary(model: Any) -> int:
    sizes = [layer.input_dim for layer in model.layers if hasattr(layer, "input_dim") and hasattr(layer, "embeddings")]
    return min(sizes, default=10)


def _given(inputs: Any) -> tuple[list[Array], dict[str, Array]]:
    if isinstance(inputs, Mapping):
        return [], {name: np.asarray(each) for name, each in inputs.items()}
    each = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    return [np.asarray(array) for array in each], {}


def _largest(expected: Sequence[Array], actual: Sequence[Array]) -> float | None:
    if len(expected) != len(actual) or any(one.shape != two.shape for one, two in zip(expected, actual, strict=False)):
        return None
    errors = [
        float(np.abs(one.astype(float) - two.astype(float)).max(initial=0)) for one, two in zip(expected, actual, strict=True)
    ]
    return max(errors, default=0.0)


def _compare(each: Pair, allowed: float) -> Compared:
    names = [" + ".join(call.name for call in calls) or None for calls in (each.expected, each.actual)]
    if not each.expected or not each.actual:
        return Compared(each, Row(names[0], names[1], verdict="no partner"))
    one, two = each.expected, each.actual
    inputs_differ = _difference(_first_input(one[0]), _first_input(two[0]))
    if one[0].adapter is not None and two[0].adapter is not None:
        outcome = whole_results(one, two)
        if outcome is None:
            return Compared(each, Row(names[0], names[1], inputs_differ, None, None, "wrong here"))
        expected, actual, alone = outcome
        output, alone_error = _off(expected, actual), _off(expected, alone)
    else:
        expected, actual, alone = None, None, None
        outputs = one[-1].outputs[:1], two[-1].outputs[:1]
        output = _difference_of(outputs[0], outputs[1], one[-1])
        ran = run_alone(two[0], one[0])
        alone_error = None if ran is None else _difference_of(outputs[0], ran, one[-1])
    scale = allowed * max(1.0, float(np.abs(one[-1].outputs[0]).max(initial=0)) if one[-1].outputs else 1.0)
    wrong = alone_error is None or alone_error > scale
    differs = inputs_differ is None or inputs_differ > scale * 10
    verdict: Any = (
        "wrong here" if wrong else "input differs" if differs or (output is None or output > scale * 10) else "agrees"
    )
    row = Row(names[0], names[1], inputs_differ, output, alone_error, verdict)
    return Compared(each, row, None if expected is None or actual is None else (expected, actual))


def _first_input(call: Recorded) -> Array | None:
    if not call.inputs:
        return None
    array = call.inputs[0]
    return array.swapaxes(0, 1) if call.adapter is not None and call.adapter.time_major and array.ndim == 3 else array


def _difference(one: Array | None, two: Array | None) -> float | None:
    if one is None or two is None:
        return None
    if one.shape == two.shape:
        return float(np.abs(one.astype(float) - two.astype(float)).max(initial=0))
    if one.size != two.size:
        return None
    if one.ndim == two.ndim:
        turned = [two.transpose(order) for order in permutations(range(two.ndim))]
        errors = [_difference(one, each) for each in turned if each.shape == one.shape]
        return min((error for error in errors if error is not None), default=None)
    return _difference(one.ravel(), two.ravel())


def _difference_of(expected: Sequence[Array], actual: Sequence[Array], call: Recorded) -> float | None:
    """Compare outputs; an activation inside the expected layer may follow the actual one as a layer of its own."""
    if not expected or not actual:
        return None
    plain = _difference(expected[0], actual[0])
    activation = getattr(call.native, "activation", None)
    if activation is None or plain is None or plain == 0:
        return plain
    try:
        activated = arrays_in(activation(actual[0]))
    except Exception:  # noqa: BLE001  whatever a user's activation raises
        return plain
    other = _difference(expected[0], activated[0]) if activated else None
    return plain if other is None else min(plain, other)


def _off(one: RecurrentOutput, two: RecurrentOutput | None) -> float | None:
    if two is None:
        return None
    errors = []
    for name in ("output", "h_n", "c_n"):
        first, second = getattr(one, name), getattr(two, name)
        if first is not None and second is not None:
            error = _difference(first, second) if first.shape == second.shape else None
            if error is None:
                return None
            errors.append(error)
    return max(errors)


def _first(compared: Sequence[Compared], allowed: float, *, passed: bool) -> Divergence | None:
    after, last = None, None
    for each in compared:
        row = each.row
        if row.verdict == "agrees":
            after, last = row.expected, each
        elif row.verdict == "wrong here" and (row.input_error is not None and row.input_error <= 10 * allowed):
            return _inside(each, after)
        elif row.verdict in ("input differs", "wrong here"):
            return Divergence("between", row.expected, row.actual, after, fix=_between(last, each))
    if passed:
        return None
    return Divergence("between", None, None, after, fix="what the models return of their last layers differs")


def _between(last: Compared | None, each: Compared) -> str:
    wanted, found = _first_input(each.pair.expected[0]), _first_input(each.pair.actual[0])
    if wanted is None or found is None or wanted.dtype.kind != "f":
        return ""
    whole = last.whole[0] if last is not None and last.whole is not None else None
    call = last.pair.expected[-1] if last is not None else None
    spec = last.pair.actual[0].adapter.spec if last is not None and last.pair.actual[0].adapter is not None else None
    return explain_between(call.outputs[0] if call is not None and call.outputs else None, whole, spec, wanted, found)


def _inside(each: Compared, after: str | None) -> Divergence:
    row = each.row
    one, two = each.pair.expected, each.pair.actual
    if each.whole is None and one[0].adapter is None:
        return Divergence("in", row.expected, row.actual, after, fix=explain_other(one[0], two[0]))
    natives = [call.native for call in one] if len(one) > 1 else one[0].native
    diagnosis = diagnose(natives, two[0].native)
    gate = next((finding.where.get("gate") for finding in diagnosis.findings if "gate" in finding.where), None)
    step, unit = _place(each.whole) if each.whole is not None else (None, None)
    fix = diagnosis.findings[0].fix if diagnosis.findings else ""
    return Divergence("in", row.expected, row.actual, after, step, unit, str(gate) if gate else None, diagnosis, fix)


def _place(whole: tuple[RecurrentOutput, RecurrentOutput]) -> tuple[int | None, int | None]:
    one, two = whole
    if one.output.shape != two.output.shape:
        return None, None
    off = np.abs(one.output - two.output)
    steps = np.flatnonzero(off.max(axis=(0, 2)) > 1e-5)
    step = int(steps[0]) if len(steps) else None
    return step, int(off.max(axis=(0, 1)).argmax())


def _notes(compared: Sequence[Compared], *, passed: bool) -> list[str]:
    alone = [each.row.expected or each.row.actual for each in compared if each.row.verdict == "no partner"]
    notes = [f"without a partner: {', '.join(str(name) for name in alone)}"] if alone else []
    if passed:
        inside = [each.row.actual for each in compared if each.row.verdict in ("wrong here", "input differs")]
        notes += [f"the results agree although these differ inside: {', '.join(map(str, inside))}"] if inside else []
    return notes


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
    """
    __tracebackhide__ = True
    compared = compare_models(
        expected, actual, inputs, actual_inputs=actual_inputs, pairs=pairs, tolerance=tolerance, seed=seed
    )
    if not compared:
        raise AssertionError(str(compared))
