"""What is said of a difference without a name: where it begins, and what was ruled out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.call.call_search import Results, right_expressions
from compare.diagnosis.call.expressions import Expression
from compare.diagnosis.call.simulation import call_slips, recurrence_slips
from compare.diagnosis.sides.case import Case

Array = npt.NDArray[Any]


def ruled_out(case: Case, *, observed: bool) -> Iterator[str]:
    """Yield what was tried in vain.

    Args:
        case: the diagnosis.
        observed: whether the weights of the port could be observed.
    """
    if observed:
        yield "the weights are the right ones, or were put right: the difference is in the call or in what is returned"
    else:
        yield from () if case.port.held else ("the port holds no recurrent layer",)
        yield "the weights of the port cannot be observed: each known mistake with them was tried alone"
    situation = case.right.situation(case.data, as_layer=case.port.is_layer)
    slips = [*call_slips(situation), *recurrence_slips(situation.spec)]
    yield f"ruled out, alone and together with another result: {', '.join(dict.fromkeys(slip.mistake for slip in slips))}"


def beginnings(case: Case, right: Sequence[Array], port: Sequence[Array]) -> Iterator[str]:
    """Yield where each result begins to differ."""
    situation = case.right.situation(case.data, as_layer=case.port.is_layer)
    results = Results(situation, right, port, case.tolerance)
    every = results.values(())
    known = right_expressions(results) or [()] * len(right)
    for index, (one, other, texts) in enumerate(zip(port, right, known, strict=True)):
        if one.shape != other.shape:
            yield f"result {index} has shape {one.shape} in place of {other.shape}"
        else:
            far = np.abs(one - other) / max(1.0, float(np.abs(other).max(initial=0)))
            expression = every[texts[0]] if texts else None
            wrong = ~(far <= case.tolerance)
            if wrong.any():
                yield f"result {index} differs first at {_first(wrong, expression, situation.spec.hidden_size)}"


def _first(far: npt.NDArray[np.bool_], expression: Expression | None, size: int) -> str:
    """Return the first place that differs, in words."""
    axes = _axes(far, expression)
    if "time step" in axes:
        time = axes.index("time step")
        step = int(np.flatnonzero(far.any(tuple(axis for axis in range(far.ndim) if axis != time)))[0])
        rest = np.argwhere(np.take(far, step, time))[0].tolist()
        rest.insert(time, step)
    else:
        rest = np.argwhere(far)[0].tolist()
    named = [f"{axis} {value}" for axis, value in zip(axes, rest, strict=True)]
    named.sort(key=lambda text: not text.startswith(("time step", "layer")))
    if expression is not None and expression.layer is not None:
        named.insert(0, f"layer {expression.layer}")
    halves = expression is not None and expression.merge == "concat"
    if halves and axes[-1] == "unit" and far.shape[-1] == 2 * size:
        wrong = [half for half, part in (("forward", far[..., :size]), ("backward", far[..., size:])) if part.any()]
        if len(wrong) == 1:
            named.append(f"only in the {wrong[0]} direction")
    return ", ".join(named)


def _axes(far: npt.NDArray[np.bool_], expression: Expression | None) -> list[str]:
    if expression is not None and expression.layout == "stacked":
        return ["layer and direction", "row", "unit"]
    if far.ndim == 3:
        return ["time step", "row", "unit"] if expression is not None and expression.layout else ["row", "time step", "unit"]
    return ["row", "unit"] if far.ndim == 2 else [f"axis {axis}" for axis in range(far.ndim)]
