"""`diagnose`: weights are observed, the call is explained with right weights, and each mistake is undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.black_box import wrong_weights
from compare.diagnosis.call_search import Explanation, Results, explain
from compare.diagnosis.case import Case, draw_data, require_as_many
from compare.diagnosis.claims import Observed, explain_weights
from compare.diagnosis.grouping import call_findings, weight_findings
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.origins import Right
from compare.diagnosis.port_side import PortSide, layout_of
from compare.diagnosis.repetition import compare_two_calls
from compare.diagnosis.result import Diagnosis, Finding
from compare.diagnosis.right_side import RightSide
from compare.diagnosis.simulation import Slip
from compare.tolerance import choose_tolerance
from frameworks.registry import adapt
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[Any]
_ROWS, _STEPS = 4, 16
"""The search calls both sides on at most so many rows and steps; the verdict is on all."""
_SIZES = ("input_size", "hidden_size", "num_layers", "bidirectional")


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
    if port_side.is_layer and port_side.reads_backwards:
        right_side = replace(right_side, beside_backwards=True)  # as check_parity calls them
    data = draw_data(right_side, inputs, initial_state, mask, seed, with_states=port_side.is_layer)
    sides = (right_side.adapter, port_side.adapter or right_side.adapter)
    case = Case(right_side, port_side, data, choose_tolerance(sides, tolerance))
    sizes = _other_sizes(case)
    return Diagnosis("named", (sizes,)) if sizes is not None else _diagnose(case)


def _other_sizes(case: Case) -> Finding | None:
    """Return the finding that the only recurrent layer of the port has other sizes."""
    spec, held = case.right.adapter.spec, [each.adapter.spec for each in case.port.held]
    if len(held) != 1 or held[0].cell != spec.cell:
        return None
    differ = [name for name in _SIZES if getattr(held[0], name) != getattr(spec, name)]
    if not differ:
        return None
    found, must_be = (", ".join(f"{name} {getattr(each, name)}" for name in differ) for each in (held[0], spec))
    return Finding("sizes", {}, found, must_be, fix_of("sizes"))


def _diagnose(case: Case) -> Diagnosis:
    right, port = case.right_call(case.data), case.port_call(case.data)
    require_as_many(right, port)
    observed = _observe(case)
    if observed is not None and observed.unexplained:
        return _not_named(case, observed, ())
    findings, left = _undo_weights(case, observed, right, port)
    weights = observed.right.weights if observed is not None and observed.claims else None
    repeated, left = compare_two_calls(case, left, weights)
    findings += [repeated] if repeated is not None else []
    if not case.agree(left, right):
        if not all(np.isfinite(array).all() for array in left) and all(np.isfinite(array).all() for array in right):
            return _ended([*findings, Finding("not-a-number", {}, "its results hold NaN", "", fix_of("not-a-number"))])
        rest = _explain_call(case, observed, weights, case.off(left, right))
        if rest is None:
            return _not_named(case, observed, findings)
        findings += rest
    if findings:
        return _ended(findings)
    unseen = tuple(_unseen(case))
    return Diagnosis("cannot be seen" if unseen else "right", notes=unseen or tuple(_silent(case)))


def _ended(findings: Sequence[Finding]) -> Diagnosis:
    def effect(finding: Finding) -> float:
        before, after = finding.error_before, finding.error_after
        return 0.0 if before is None or after is None else after - before

    return Diagnosis("named", tuple(sorted(findings, key=effect)))


def _not_named(case: Case, observed: Observed | None, findings: Sequence[Finding]) -> Diagnosis:
    notes = [f"ruled out: {each.mistake} explains only a part" for each in findings]
    for unit, related in (observed.unexplained if observed is not None else {}).items():
        part = unit.part.replace("_", " ")
        notes.append(
            f"the {part} of layer {unit.layer}, direction {unit.direction} is not the right one, nor made of it by a known "
            f"mistake; their correlation is {related:.3f}"
        )
    if not notes and observed is not None:
        notes.append("the weights are the right ones: the difference is in the call or in what is returned")
    return Diagnosis("not named", notes=tuple(notes))


def _unseen(case: Case) -> Iterator[str]:
    """Yield how the port is built differently, although its results are the same."""
    for held in case.port.held:
        spec = held.adapter.spec
        if spec.bias != case.right.adapter.spec.bias:
            yield f"bias is {spec.bias} in the port, {case.right.adapter.spec.bias} in the right layer, whose biases are zero"


def _silent(case: Case) -> Iterator[str]:
    """Yield what this data cannot show of a port that is right."""
    weights = case.right.adapter.get_weights()
    if case.right.adapter.spec.bias and not any(one.bias is not None and one.bias.any() for *_, one in weights):
        yield "the biases of the right layer are zero, so that a mistake with them makes no difference"
    if not case.port.is_layer and case.port.cells() is None:
        yield "the weights of the port cannot be observed: only its results were compared"


def _observe(case: Case) -> Observed | None:
    cells = case.port.cells()
    if cells is None:
        return None
    weights = RecurrentWeights(tuple(tuple(cell.read() for cell in row) for row in cells))
    return explain_weights(weights, _right(case))


def _right(case: Case) -> Right:
    adapter = case.right.adapter
    return Right(adapter.get_weights(), adapter.spec, layout_of(adapter.framework), layout_of(case.port.framework))


def _undo_weights(
    case: Case, observed: Observed | None, right: Sequence[Array], port: list[Array]
) -> tuple[list[Finding], list[Array]]:
    """Undo the mistakes in the weights one after the other; return the findings, and the results with right weights."""
    findings: list[Finding] = []
    undone: set[str] = set()
    before, left = case.off(port, right), port
    for finding in weight_findings(observed.claims if observed is not None else (), case.right.adapter.spec):
        undone.add(finding.mistake)
        left = case.port_call(case.data, observed.without(undone) if observed is not None else None)
        after = case.off(left, right)
        findings.append(replace(finding, error_before=before, error_after=after))
        before = after
    return findings, left


def _explain_call(case: Case, observed: Observed | None, weights: RecurrentWeights | None, off: float) -> list[Finding] | None:
    """Explain results with right weights by the recurrence and the call; those of a black box by its weights too."""
    few = case.data.few(_ROWS, _STEPS)
    with case.port.in_evaluation():
        port = case.port_call(few, weights)
    results = Results(case.right.situation(few, as_layer=case.port.is_layer), case.right_call(few), port, case.tolerance)
    known = tuple(_observed_slips(case))
    found = explain(results, known=known)
    if found:
        return call_findings(found, results, off)
    return _explain_black_box(case, results, off) if observed is None else None


def _observed_slips(case: Case) -> Iterator[Slip]:
    """Yield what the port's layers state of their recurrence, where it differs from the right one."""
    right = case.right.adapter.spec
    for held in case.port.held[:1]:
        for name, mistake in (("activation", "activation"), ("recurrent_activation", "recurrent-activation")):
            own, wanted = getattr(held.adapter.spec, name), getattr(right, name)
            if held.adapter.spec.cell == right.cell and own != wanted:
                yield Slip(mistake, name, own, own, wanted)


def _explain_black_box(case: Case, results: Results, off: float) -> list[Finding] | None:
    best: tuple[int, str, str, list[Explanation]] | None = None
    for mistake, words, weights in wrong_weights(_right(case)):
        found = explain(results, replace(results.situation, weights=weights), most=0)
        if found and (best is None or found[0].cost < best[0]):
            best = (found[0].cost, mistake, words, found)
            if best[0] == 0:
                break
    if best is None:
        return None
    rest = call_findings(best[3], results, off)
    after = rest[0].error_before if rest else 0.0
    return [Finding(best[1], {}, best[2], "", fix_of(best[1]), off, after), *rest]
