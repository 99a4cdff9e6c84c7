"""`diagnose`: weights are observed, the call is explained with right weights, and each mistake is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.black_box import wrong_weights
from compare.diagnosis.call_search import Explanation, Results, close, error, explain
from compare.diagnosis.claims import Observed, explain_weights
from compare.diagnosis.grouping import call_findings, weight_findings
from compare.diagnosis.origins import Right
from compare.diagnosis.port_side import PortSide, layouts_of
from compare.diagnosis.result import Diagnosis, Finding
from compare.diagnosis.right_side import Data, RightSide, whole_results
from compare.parity.calls import given_call
from compare.parity.tolerance import choose_tolerance
from frameworks.errors import InvalidValueError
from frameworks.registry import adapt

Array = npt.NDArray[Any]
_ROWS, _STEPS = 4, 16
"""The search calls both sides on at most so many rows and steps; the verdict is on all."""


@dataclass(frozen=True, eq=False)
class Case:
    """Both sides of a diagnosis, and what they are called with."""

    right: RightSide
    port: PortSide
    data: Data
    tolerance: float

    def right_call(self, data: Data) -> list[Array]:
        """Return the right results; of a layer against a layer, those of the common interface."""
        if self.port.is_layer:
            return list(whole_results(self.right.adapter.forward(data.inputs, data.states, data.mask)))
        return self.right.call(data)

    def off(self, port: Sequence[Array], right: Sequence[Array]) -> float:
        """Return the largest difference between two lists of results."""
        return max(error(np.asarray(one), np.asarray(other)) for one, other in zip(port, right, strict=True))

    def agree(self, port: Sequence[Array], right: Sequence[Array]) -> bool:
        """Return whether two lists of results are the same."""
        return all(close(np.asarray(one), np.asarray(other), self.tolerance) for one, other in zip(port, right, strict=True))


def diagnose(
    right: Any,
    port: Any,
    inputs: Array | None = None,
    *,
    initial_state: Any = None,
    mask: Array | None = None,
    tolerance: float | None = None,
    seed: int = 0,
) -> Diagnosis:
    """Name the mistake in a port of a recurrent layer, where it is, and the line that mends it.

    Args:
        right: a layer that `adapt` accepts, a list of layers as one stack, an adapter, or a layer of `open_checkpoint`.
        port: likewise; or what the porter calls in place of the right layer: a torch module that holds recurrent modules, a
            Keras model, or a function. It is called as `port(inputs)`, with `mask=` and `initial_state=` where these are
            given, with tensors of its own framework, and returns what the right layer's own call returns, in the same order.
        inputs: (batch, time, input), in the layers' dtype; drawn from `seed` when None.
        initial_state: h_0 or (h_0, c_0), each (layer * direction, batch, hidden); or as the right layer's own call takes it.
        mask: (batch, time) bool, True at valid steps.
        tolerance: the allowed error as a share of max(1, max |expected|); when None, as in `check_parity`.
        seed: draws the inputs.

    Returns:
        The diagnosis, which is truthy if the port is right.

    Raises:
        GatewiseError: if the port cannot be called like the right layer, and for arguments that do not fit.

    Example:
        >>> import torch
        >>> from gatewise import diagnose
        >>> right, port = torch.nn.GRU(3, 4), torch.nn.GRU(3, 4)
        >>> port.load_state_dict({name: torch.cat((each[4:8], each[:4], each[8:])) for name, each in right.state_dict().items()})
        <All keys matched successfully>
        >>> diagnose(right, port).findings[0].mistake
        'gates-permuted'
    """
    right_side = RightSide(adapt(right))
    port_side = PortSide(port, right_side)
    data = _data(right_side, inputs, initial_state, mask, seed, layer=port_side.is_layer)
    other = port_side.adapter or right_side.adapter
    case = Case(right_side, port_side, data, choose_tolerance((right_side.adapter, other), tolerance))
    sizes = _sizes(case)
    if sizes is not None:
        return Diagnosis("named", (sizes,))
    return _diagnose(case)


def _data(right: RightSide, inputs: Array | None, initial_state: Any, mask: Array | None, seed: int, *, layer: bool) -> Data:
    adapter = right.adapter
    spec = adapter.spec
    rng = np.random.default_rng(seed)
    if inputs is None and mask is None and initial_state is None:
        taken = {spec.input_size, spec.hidden_size, spec.num_layers * spec.num_directions}
        rows = adapter.batch_size or next(n for n in count(3) if n not in taken)
        steps = next(n for n in count(5) if n not in taken | {rows})
        inputs = rng.standard_normal((rows, steps, spec.input_size)).astype(spec.dtype)
        if layer:
            shape = (spec.num_layers * spec.num_directions, rows, spec.hidden_size)
            initial_state = tuple(rng.uniform(-0.9, 0.9, shape).astype(spec.dtype) for _ in spec.state_names)
    own = initial_state is not None and not _is_canonical(initial_state)
    call = given_call(
        (adapter, adapter),
        inputs,
        None if own else initial_state,
        mask,
        {"initial_state": initial_state} if own else None,
    )
    states = call.initial_state
    return Data(call.inputs, states if states is None or isinstance(states, tuple) else (states,), call.mask)


def _is_canonical(states: Any) -> bool:
    first = states[0] if isinstance(states, (tuple, list)) and states else states
    return getattr(first, "ndim", 0) == 3


def _sizes(case: Case) -> Finding | None:
    """Return the finding that the port's layer has other sizes."""
    spec, held = case.right.adapter.spec, [each.adapter.spec for each in case.port.held]
    alike = [each for each in held if each.cell == spec.cell]
    if len(alike) != 1 or len(held) != 1 or case.port.cells() is None and not case.port.is_layer:
        return None
    names = ("input_size", "hidden_size", "num_layers", "bidirectional")
    differ = [name for name in names if getattr(alike[0], name) != getattr(spec, name)]
    if not differ:
        return None
    found, must_be = (", ".join(f"{name} {getattr(each, name)}" for name in differ) for each in (alike[0], spec))
    return Finding("sizes", {}, found, must_be, "Build the port with the sizes of the right layer.")


def _diagnose(case: Case) -> Diagnosis:
    right = case.right_call(case.data)
    port = case.port.call(case.data)
    _require_as_many(right, port)
    observed = _observe(case)
    claims = observed.claims if observed is not None else ()
    if not claims and case.agree(port, right):
        return Diagnosis("right", notes=_unseen(case, observed))
    if observed is not None and observed.unexplained:
        units = ", ".join(f"{unit.part} of layer {unit.layer}, direction {unit.direction}" for unit in observed.unexplained)
        return Diagnosis("not named", notes=(f"weights that no known mistake explains: {units}",))
    findings, left = _undo_weights(case, observed, right, port)
    if case.agree(left, right):
        return Diagnosis("named" if findings else "right", tuple(findings))
    rest = _explain_call(case, observed, left, right)
    if rest is None:
        named = ", ".join(each.mistake for each in findings)
        return Diagnosis("not named", notes=((f"after undoing {named}, the results still differ",) if named else ()))
    findings += rest
    return Diagnosis("named", tuple(sorted(findings, key=_effect)))


def _effect(finding: Finding) -> float:
    before, after = finding.error_before, finding.error_after
    return 0.0 if before is None or after is None else after - before


def _require_as_many(right: Sequence[Array], port: Sequence[Array]) -> None:
    if len(right) != len(port):
        raise InvalidValueError.because(
            "what the port returns",
            must=f"be {len(right)} arrays, as the right layer's own call returns them",
            but=f"is {len(port)}: {', '.join(str(array.shape) for array in port)}",
            remedy="Return the same arrays in the same order, nested anyhow.",
        )


def _observe(case: Case) -> Observed | None:
    cells = case.port.cells()
    if cells is None:
        return None
    from frameworks.weights import RecurrentWeights

    weights = RecurrentWeights(tuple(tuple(cell.read() for cell in row) for row in cells))
    return explain_weights(weights, _right(case))


def _right(case: Case) -> Right:
    adapter = case.right.adapter
    source, target = layouts_of(adapter.framework), layouts_of(case.port.framework)
    return Right(adapter.get_weights(), adapter.spec, source, target)


def _undo_weights(
    case: Case, observed: Observed | None, right: Sequence[Array], port: Sequence[Array]
) -> tuple[list[Finding], Sequence[Array]]:
    """Undo the mistakes in the weights one after the other; return the findings, and the results with right weights."""
    cells = case.port.cells()
    if observed is None or not observed.claims or cells is None:
        return [], port
    findings, undone, before, left = [], set(), case.off(port, right), port
    for finding in weight_findings(observed.claims, case.right.adapter.spec):
        undone.add(finding.mistake)
        with case.port.holding(observed.without(undone), cells):
            left = case.port.call(case.data)
        after = case.off(left, right)
        findings.append(replace(finding, error_before=before, error_after=after))
        before = after
    return findings, left


def _explain_call(
    case: Case, observed: Observed | None, left: Sequence[Array], right: Sequence[Array]
) -> list[Finding] | None:
    """Explain results with right weights by the recurrence and the call; for a black box, by one mistake in the weights too."""
    few = case.data.few(_ROWS, _STEPS)
    port = _call_right(case, observed, few)
    results = Results(case.right.situation(few), case.right_call(few), port, case.tolerance)
    found = explain(results)
    if found:
        return call_findings(found, results, case.off(left, right))
    if observed is None:
        return _explain_black_box(case, results, case.off(left, right))
    return None


def _call_right(case: Case, observed: Observed | None, data: Data) -> list[Array]:
    cells = case.port.cells()
    if observed is None or not observed.claims or cells is None:
        return case.port.call(data)
    with case.port.holding(case.right.adapter.get_weights(), cells):
        return case.port.call(data)


def _explain_black_box(case: Case, results: Results, off: float) -> list[Finding] | None:
    best: tuple[int, str, str, list[Explanation]] | None = None
    for mistake, words, weights in wrong_weights(_right(case)):
        wrong = replace(results.situation, weights=weights)
        found = explain(results, wrong, most=0)
        if found and (best is None or found[0].cost < best[0]):
            best = (found[0].cost, mistake, words, found)
            if best[0] == 0:
                break
    if best is None:
        return None
    finding = weight_findings((), case.right.adapter.spec, named=(best[1], best[2]))[0]
    rest = call_findings(best[3], results, off)
    return [replace(finding, error_before=off, error_after=rest[0].error_before if rest else 0.0), *rest]
