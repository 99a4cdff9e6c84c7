"""`diagnose`: weights are observed, the call is explained with right weights, and each mistake is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.diagnosis.explaining import Question, explain_call, explain_without_biases
from compare.diagnosis.grouping import weight_findings
from compare.diagnosis.mistakes import fix_of
from compare.diagnosis.remarks import apart, coarsened, remarks, silent_of, unseen_of
from compare.diagnosis.repetition import dropout_finding, explain_change, explain_stateful, repeat
from compare.diagnosis.result import Diagnosis, Finding
from compare.diagnosis.sides.case import Case, draw_data, require_as_many
from compare.diagnosis.sides.port_side import PortSide, layout_of
from compare.diagnosis.sides.quiet import without_dropout
from compare.diagnosis.sides.right_side import RightSide
from compare.diagnosis.sizes import other_sizes
from compare.diagnosis.unnamed import beginnings, ruled_out
from compare.diagnosis.weights.claims import explain_weights
from compare.diagnosis.weights.observed import Observed
from compare.diagnosis.weights.origins import Right
from compare.groundwork.progress import tell
from compare.groundwork.restoring import as_before
from compare.groundwork.tolerance import choose_tolerance
from frameworks.adapter import Adapter
from frameworks.errors import InvalidTypeError, NoCounterpartError
from frameworks.registry import adapt
from frameworks.weights import RecurrentWeights

Array = npt.NDArray[Any]


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
        >>> arrays = right.state_dict().items()
        >>> port.load_state_dict({name: torch.cat((each[4:8], each[:4], each[8:])) for name, each in arrays})
        <All keys matched successfully>
        >>> diagnose(right, port).findings[0].mistake
        'gates-permuted'
    """
    right_side = RightSide(_adapted(right))
    port_side = PortSide(port, right_side)
    if port_side.is_layer and port_side.reads_backwards:
        right_side = replace(right_side, beside_backwards=True)  # as check_parity calls them
    allowed = choose_tolerance((right_side.adapter, *(held.adapter for held in port_side.held)), tolerance)
    touched = [right_side.adapter.native, *port_side.contents.roots]
    with as_before(touched), without_dropout(touched[:1], functions=False):
        data = draw_data(right_side, inputs, initial_state, mask, seed, with_states=port_side.is_layer)
        sizes = other_sizes(right_side, port_side)
        if sizes is not None:
            return sizes
        if not port_side.is_layer:
            port_side.call(data)
        return _diagnose(Case(right_side, port_side, data, coarsened(allowed, port_side) if tolerance is None else allowed))


def _adapted(right: Any) -> Adapter:
    try:
        return adapt(right)
    except NoCounterpartError as error:
        if not isinstance(right, (list, tuple)):
            raise
        raise InvalidTypeError.because(
            "a list as the right layer",
            must="be one stack, whose layers have the same cell, size and directions",
            but="holds layers that do not",
            remedy="Diagnose one layer at a time, or pass both models to gatewise.compare_models, which names the wrong layer.",
        ) from error


def _diagnose(case: Case) -> Diagnosis:
    right = case.right_call(case.data)
    repeated = repeat(case)
    with without_dropout(case.port.contents.roots):
        port = case.port_call(case.data)
        require_as_many(right, port)
        observed = _observe(case)
        if observed is not None and observed.unexplained:
            return _not_named(case, observed, (), right, port)
        findings, left = _undo_weights(case, observed, right, port)
        weights = observed.right.weights if observed is not None and observed.claims else None
        rest = _explain_rest(case, right, left, observed, weights)
        lacking = next((each for each in findings if each.mistake == "bias-dropped"), None)
        if rest is None and lacking is not None:
            rest = explain_without_biases(Question(case, right, left, weights), lacking) or None
            findings = [each for each in findings if each is not lacking] if rest else findings
        changing = "two calls with the same data differ, also without dropout: it draws random numbers, or it changes itself"
        if rest is None:
            return _not_named(case, observed, findings, right, left, changing if repeated.changes else "")
        findings += rest
        kept = explain_change(case, weights, findings) if repeated.changes and not case.right.is_stateful else None
        if repeated.changes and not case.right.is_stateful and kept is None:
            return _not_named(case, observed, findings, right, left, changing)
        if case.right.is_stateful and not case.port.is_stateless:
            kept = explain_stateful(case, weights)
    findings += [kept] if kept is not None else []
    findings += [dropout_finding()] if repeated.drops else []
    if findings:
        return Diagnosis.of(findings, [*apart(findings), *remarks(case)])
    unseen = tuple(unseen_of(case))
    return Diagnosis("cannot be seen" if unseen else "right", notes=(*unseen, *silent_of(case), *remarks(case)))


def _explain_rest(
    case: Case, right: list[Array], left: list[Array], observed: Observed | None, weights: RecurrentWeights | None
) -> list[Finding] | None:
    """Return the findings about results with right weights; None if nothing explains them."""
    if case.agree(left, right):
        return []
    if not all(np.isfinite(array).all() for array in left):
        return [Finding("not-a-number", {}, "its results hold NaN or infinity", "finite numbers", fix_of("not-a-number"))]
    black_box = _right(case) if observed is None else None
    return explain_call(Question(case, right, left, weights, black_box)) or None


def _not_named(
    case: Case,
    observed: Observed | None,
    findings: Sequence[Finding],
    right: Sequence[Array],
    port: Sequence[Array],
    reason: str = "",
) -> Diagnosis:
    notes = [reason] if reason else []
    notes += [f"besides, {each.mistake} was found, which explains only a part" for each in findings]
    notes += observed.notes() if observed is not None else ()
    if observed is None or not observed.unexplained:
        notes += ruled_out(case, observed=observed is not None)
    return Diagnosis("not named", notes=(*notes, *beginnings(case, right, port), *remarks(case)))


def _observe(case: Case) -> Observed | None:
    cells = case.port.cells()
    if cells is None:
        return None
    weights = RecurrentWeights(tuple(tuple(cell.read() for cell in row) for row in cells))
    return explain_weights(weights, _right(case))


def _right(case: Case) -> Right:
    adapter = case.right.adapter
    layouts = layout_of(adapter.framework), layout_of(case.port.framework)
    return Right(adapter.get_weights(), adapter.spec, *layouts, case.port.names_of_arrays(), getattr(adapter, "is_cell", False))


def _undo_weights(
    case: Case, observed: Observed | None, right: Sequence[Array], port: list[Array]
) -> tuple[list[Finding], list[Array]]:
    """Undo the mistakes in the weights one after the other; return the findings, and the results with right weights."""
    findings: list[Finding] = []
    undone: set[str] = set()
    before, left = case.off(port, right), port
    for finding in weight_findings(observed) if observed is not None else ():
        undone.add(finding.mistake)
        left = case.port_call(case.data, observed.without(undone) if observed is not None else None)
        after = case.off(left, right)
        findings.append(replace(finding, error_before=before, error_after=after))
        tell(f"{finding.mistake}{f' ({finding.place})' if finding.place else ''}")
        before = after
    return findings, left
