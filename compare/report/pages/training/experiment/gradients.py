"""The gradients of one scalar in both frameworks, array by array, and the size of mistakes in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from compare.groundwork.calls import Call
from compare.groundwork.tolerance import choose_tolerance
from compare.parity.cases import draw_weights
from compare.parity.difference import measure
from compare.parity.gradients import compare_gradients, draw_cotangents
from compare.parity.verdict import Against, Comparison
from compare.report.results import Results, control, environment, exact, measured
from frameworks import DirectionWeights, RecurrentSpec, adapt, build, convert, emulate
from frameworks.adapter import Adapter
from frameworks.spec import CellName, DTypeName

Array = npt.NDArray[Any]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "kernel": ("kernel",),
    "recurrent kernel": ("recurrent_kernel",),
    "bias": ("bias", "recurrent_bias"),
    "inputs": ("inputs",),
    "initial states": ("h_0", "c_0"),
}
"""The groups of variables to differentiate for, and their arrays."""

_INPUT, _HIDDEN, _BATCH, _TIME = 3, 7, 4, 5
_LENGTHS = np.array([_TIME, 2, 4, 1])


@dataclass(frozen=True)
class Case:
    """One layer in both frameworks, differentiated from random states.

    Args:
        name: the cell, the dtype and the option, if any.
        spec: the spec of the layer.
        masked: whether the rows end at different steps.
    """

    name: str
    spec: RecurrentSpec
    masked: bool = False


def make_cases() -> tuple[Case, ...]:
    """Return every cell in both dtypes, with at most one option at a time."""
    cases = []
    for cell, dtype in product(get_args(CellName), get_args(DTypeName)):
        plain = RecurrentSpec(cell, _INPUT, _HIDDEN, dtype=dtype)
        cases += [
            Case(f"{cell}, {dtype}", plain),
            Case(f"{cell}, {dtype}, bidirectional", replace(plain, bidirectional=True)),
            Case(f"{cell}, {dtype}, two layers", replace(plain, num_layers=2)),
            Case(f"{cell}, {dtype}, masked", plain, masked=True),
        ]
        if "reset_after" in plain.record.options:
            cases.append(Case(f"{cell}, {dtype}, reset_after=False, emulated", replace(plain, reset_after=False)))
    return tuple(cases)


def run(progress: Callable[[str], None]) -> Results:
    """Differentiate every case on this process's Keras backend, and make the mistakes."""
    import keras

    results = {}
    for index, case in enumerate(make_cases()):
        if index % 9 == 0:
            progress(case.name)
        results[case.name] = _run_case(case, index)
    progress("mistakes")
    mistakes = {cell: _run_mistakes(RecurrentSpec(cell, _INPUT, _HIDDEN, dtype="float64")) for cell in get_args(CellName)}
    return {
        "backend": exact(keras.backend.backend()),
        "versions": environment(keras.__version__),
        "cases": results,
        "mistakes": mistakes,
    }


def _run_case(case: Case, seed: int) -> Results:
    sides, call = _make_sides(case.spec, seed), _draw_call(case.spec, masked=case.masked)
    tolerance = choose_tolerance(sides, None)
    comparisons = compare_gradients(sides, (sides[0].get_weights(), sides[1].get_weights()), call, tolerance, unsure=False)
    mutual = [each for each in comparisons if each.against == Against.EXPECTED]
    return {
        "verdict": exact("passed" if all(each.verdict == "passed" for each in comparisons) else "failed"),
        "dtype": exact(case.spec.dtype),
        "comparisons": exact(len(comparisons)),
        **{
            name: measured(_needed(each for each in mutual if each.array in arrays), tolerance)
            for name, arrays in COLUMNS.items()
        },
        "keras against the reference": measured(_needed(_against(comparisons, Against.REFERENCE_OF_EXPECTED)), tolerance),
        "pytorch against the reference": measured(_needed(_against(comparisons, Against.REFERENCE_OF_ACTUAL)), tolerance),
    }


def _run_mistakes(spec: RecurrentSpec) -> Results:
    """Return the relative difference of the two layers' gradients after a mistake in one array."""
    sides, call = _make_sides(spec, 0), _draw_call(spec, masked=False)
    cotangents = draw_cotangents(spec, call, alike=True)
    one, other = (call.differentiate(side, cotangents).weights.layers[0][0] for side in sides)
    return {
        name: control(measure(getattr(one, part), mistake(getattr(other, part))).needed)
        for name, (part, mistake) in _mistakes(other).items()
    }


def _mistakes(weights: DirectionWeights) -> dict[str, tuple[str, Callable[[Array], Array]]]:
    exchanged = [1, 0, *range(2, len(weights.gates))]
    mistakes: dict[str, tuple[str, Callable[[Array], Array]]] = {
        "recurrent-kernel-not-transposed": ("recurrent_kernel", lambda array: array.swapaxes(1, 2)),
        "bias-doubled": ("bias", lambda array: 2 * array),
    }
    if len(weights.gates) > 1:
        mistakes["gates-exchanged"] = ("kernel", lambda array: array[exchanged])
    return mistakes


def _make_sides(spec: RecurrentSpec, seed: int) -> tuple[Adapter, Adapter]:
    keras_layer = build("keras", spec)
    keras_layer.set_weights(draw_weights(spec, seed))
    port = convert if spec.reset_after else emulate
    return keras_layer, adapt(port(keras_layer.native, to="pytorch"))


def _draw_call(spec: RecurrentSpec, *, masked: bool) -> Call:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((_BATCH, _TIME, spec.input_size)).astype(spec.dtype)
    shape = (spec.num_layers * spec.num_directions, _BATCH, spec.hidden_size)
    states = tuple(rng.uniform(-0.9, 0.9, shape).astype(spec.dtype) for _ in spec.state_names)
    return Call("from random states", inputs, states, np.arange(_TIME) < _LENGTHS[:, None] if masked else None)


def _against(comparisons: Iterable[Comparison], against: Against) -> Iterable[Comparison]:
    return (each for each in comparisons if each.against == against)


def _needed(comparisons: Iterable[Comparison]) -> float:
    found = [each.needed for each in comparisons]
    return math.nan if any(map(math.isnan, found)) else max(found)
