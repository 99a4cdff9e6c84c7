"""Parity of layers that no single spec describes: stacked cells of several kinds or sizes, directions that differ.

They are split into parts that have one spec each, and the parts are compared like any two layers. Then the whole layers are
called as in Keras, and their return values are compared array by array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.parity.difference import measure
from compare.parity.naming import join_diagnoses
from compare.parity.verdict import Against, Comparison, ParityResult
from frameworks.adapter import Adapter
from frameworks.errors import InvalidValueError
from frameworks.registry import adapt, call_whole, parts_of

Array = npt.NDArray[Any]
_BATCH, _TIME = 3, 5


def compare_composites(
    expected: Any,
    actual: Any,
    inputs: Array | None,
    keras_call: Mapping[str, Any],
    check_part: Callable[[Any, Any], ParityResult],
) -> ParityResult | None:
    """Compare two layers part by part, then as a whole.

    Args:
        expected: a layer of several parts with Keras's call.
        actual: likewise.
        inputs: (batch, time, input) of the whole call; drawn when None.
        keras_call: `mask` and `initial_state` of that call, nested as Keras nests them.
        check_part: a function that compares one part with its counterpart.

    Returns:
        All comparisons, those of the parts first, or None if either layer has fewer than two parts.

    Raises:
        GatewiseError: for layers that do not have the same parts.
    """
    both = parts_of(expected), parts_of(actual)
    if any(len(parts) < 2 for parts in both):
        return None
    labels = [[(direction, cell) for direction, cell, _ in parts] for parts in both]
    if labels[0] != labels[1]:
        raise InvalidValueError.because(
            "the parts of actual",
            must=f"be expected's, {labels[0]}",
            but=f"are {labels[1]}",
            remedy="Compare it with its port, such as gatewise.emulate returns.",
        )
    results = [
        (f"{direction} {cell}".strip(), check_part(one, other))
        for (direction, cell, one), (_, _, other) in zip(*both, strict=True)
    ]
    named = [replace(each, name=f"{label}: {each.name}") for label, result in results for each in result.comparisons]
    tolerance = max(result.tolerance for _, result in results)
    adapters = [(direction, cell, adapt(part)) for direction, cell, part in both[0]]
    wholes = [
        comparison
        for label, x, given in _calls(adapters, inputs, keras_call)
        for comparison in _compare_calls(call_whole(expected, x, **given), call_whole(actual, x, **given), label, tolerance)
    ]
    notes = dict.fromkeys(note for _, result in results for note in result.notes)
    differences = tuple(f"{label}: {each}" for label, result in results for each in result.differences)
    diagnosis = join_diagnoses({label: result.diagnosis for label, result in results})
    return ParityResult((*named, *wholes), tolerance, tuple(notes), differences, diagnosis)


def _calls(
    parts: list[tuple[str, str, Adapter]], inputs: Array | None, keras_call: Mapping[str, Any]
) -> Iterator[tuple[str, Array, Mapping[str, Any]]]:
    spec = parts[0][2].spec
    rng = np.random.default_rng(0)
    mask = keras_call.get("mask")
    batch, time = (_BATCH, _TIME) if mask is None else np.shape(mask)
    x = rng.standard_normal((batch, time, spec.input_size)).astype(spec.dtype) if inputs is None else inputs
    if keras_call.get("initial_state") is not None:
        yield "from the given states", x, keras_call
        return
    yield "from zeros", x, keras_call
    states = [
        _draw_states([(cell, adapter) for _, cell, adapter in group], len(x), rng)
        for _, group in groupby(parts, key=lambda part: part[0])
    ]
    if inputs is None and len({len(one) for one in states}) == 1:  # Keras halves the list, even if the directions differ
        yield "from random states", x, {**keras_call, "initial_state": [entry for one in states for entry in one]}


def _draw_states(cells: list[tuple[str, Adapter]], batch: int, rng: np.random.Generator) -> list[Any]:
    """Draw the states of one direction: the arrays of its single cell, or one list per stacked cell."""
    drawn: list[Any] = []
    for label, adapter in cells:
        spec = adapter.spec
        states = [rng.uniform(-0.9, 0.9, (batch, spec.hidden_size)).astype(spec.dtype) for _ in spec.state_names]
        drawn += [states] if label else states
    return drawn


def _compare_calls(expected: Any, actual: Any, label: str, tolerance: float) -> Iterator[Comparison]:
    one, other = dict(_leaves(expected, "result")), dict(_leaves(actual, "result"))
    if one.keys() != other.keys():
        raise InvalidValueError.because(
            "what actual returns", must=f"be nested as {list(one)}", but=f"is {list(other)}", remedy="Use the same flags."
        )
    for name, array in one.items():
        difference = measure(array, other[name])
        axes = ("batch", "time step", "unit") if array.ndim == 3 else ("batch", "unit")
        where = None if not difference.max_abs or difference.index is None else dict(zip(axes, difference.index, strict=True))
        text = f"{name} of actual's own call, {label}"
        yield Comparison.of(text, difference, where, tolerance, Against.OWN_CALL_OF_EXPECTED, kind="own call")


def _leaves(nested: Any, place: str) -> Iterator[tuple[str, Array]]:
    if isinstance(nested, (tuple, list)):
        for index, item in enumerate(nested):
            yield from _leaves(item, f"{place}[{index}]")
    else:
        yield place, nested
