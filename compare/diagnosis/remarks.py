"""What a diagnosis says beside its findings: what the data cannot show, what would tell twins apart, how it was computed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from compare.diagnosis.case import Case
from compare.diagnosis.port_side import PortSide
from compare.diagnosis.port_tensors import HALVES, first_parameter
from compare.diagnosis.result import Finding

_HALF = 1e-2
_TF32 = 5e-3
_TELLING: Mapping[str, str] = MappingProxyType(
    {
        "activation": "inputs and states ten times as large",
        "backward-not-flipped": "a result with all time steps, as with return_sequences=True",
        "batch-first": "a batch and a sequence of different lengths",
        "cell-activation": "inputs and states ten times as large",
        "gate-blocks-not-transposed": "an input size that is not the hidden size",
        "halves-interleaved": "more than one unit",
        "input-not-flipped": "a result with all time steps, as with return_sequences=True",
        "kernel-reshaped": "an input size that is not the hidden size",
        "mask-ignored": "a mask that is False at the start of some rows and at the end of others",
        "mask-ignored-backwards": "a mask that is False at the start of some rows and at the end of others",
        "mask-inverted": "a mask that is False at the start of some rows and at the end of others",
        "mask-read-as-lengths": "a mask that is False at the start of some rows and at the end of others",
        "masked-steps-shown-otherwise": "a result with all time steps, and a mask",
        "output-not-flipped": "a longer sequence",
        "recurrent-activation": "inputs and states ten times as large",
        "recurrent-kernel-not-transposed": "a recurrent kernel of several gates",
        "recurrent-kernel-reshaped": "a recurrent kernel of several gates",
        "state-directions-swapped": "initial states that differ between the directions",
        "state-forgotten": "initial states that are far from zero",
        "states-swapped": "h_0 and c_0 that differ",
        "wrong-result": "a longer sequence with a mask, and sizes that all differ",
    }
)
"""An input that tells a mistake from others that explain the same data."""


def apart(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield for each finding with twins an input that would tell them apart."""
    for finding in findings:
        twins = [twin for twin in finding.twins if twin != "wrong-result"]  # the general name of the others
        is_recurrent = finding.where.get("part") == "recurrent kernel"  # whose size has nothing to do with the input's
        names = sorted((*twins, finding.mistake), key=lambda name: is_recurrent and not name.startswith("recurrent"))
        told = dict.fromkeys(_TELLING[name] for name in names if name in _TELLING)
        if twins:
            text = f"{' and '.join((finding.mistake, *twins))} are the same on this data"
            yield f"{text}; to tell them apart, use {next(iter(told))}" if told else text


def unseen_of(case: Case) -> Iterator[str]:
    """Yield how the port is built differently, although its results are the same."""
    right = case.right.adapter.spec
    for held in case.port.held:
        if held.adapter.spec.bias != right.bias:
            owner = "right layer" if right.bias else "port"
            yield f"bias is {not right.bias} in the port, {right.bias} in the right layer; those of the {owner} are zero"


def silent_of(case: Case) -> Iterator[str]:
    """Yield what this data cannot show of a port that is right."""
    adapter = case.right.adapter
    if adapter.spec.bias and not any(one.bias is not None and one.bias.any() for *_, one in adapter.get_weights()):
        yield "the biases of the right layer are zero, so that a mistake with them makes no difference"
    if not case.port.is_layer and case.port.cells() is None:
        yield "the weights of the port cannot be observed: only its results were compared"
    if case.right.is_stateful and case.port.is_stateless:
        yield "the right layer is stateful; the port is compared from zeros: keep its final states, and pass them on"
    left_out = [name for name, given in (("mask", case.data.mask), ("initial_state", case.data.states)) if given is None]
    if left_out:
        yield f"without {' and '.join(left_out)}, it was not compared what becomes of {'it' if len(left_out) == 1 else 'them'}"


def coarsened(tolerance: float, port: PortSide) -> float:
    """Return the tolerance for a port that computes in half precision, or on CUDA with TF32."""
    precision = precision_of(port)
    return max(tolerance, {"": 0.0, "TF32": _TF32}.get(precision, _HALF))


def precision_of(port: PortSide) -> str:
    """Return "float16", "bfloat16" or "TF32" if the port is known to compute so coarsely, or ""."""
    if port.half:
        return port.half
    first, torch = first_parameter(port.contents.roots), sys.modules.get("torch")
    if first is None or torch is None:
        return ""
    name = str(first.dtype).removeprefix("torch.")
    if name in HALVES:
        return name
    tf32 = torch.backends.cudnn.allow_tf32 or torch.backends.cuda.matmul.allow_tf32
    return "TF32" if first.is_cuda and name == "float32" and tf32 else ""


def remarks(case: Case) -> Iterator[str]:
    """Yield how the results were computed, as far as it matters."""
    precision = precision_of(case.port)
    if precision in HALVES:
        yield f"the port computes in {precision}, and is compared with a tolerance of {case.tolerance:g}"
    yield from dict.fromkeys(
        note for each in (case.right.adapter, *(held.adapter for held in case.port.held)) for note in each.notes
    )
    if precision == "TF32":
        finer = "torch.backends.cudnn.allow_tf32 = False makes it finer"
        yield f"TF32 is allowed, so that the tolerance is {case.tolerance:g}; {finer}"
    if case.port.contents.quantised:
        kinds = ", ".join(dict.fromkeys(case.port.contents.quantised))
        rounded = "whose weights are rounded to integers: diagnose it before it is quantised"
        yield f"the port holds quantised layers ({kinds}), {rounded}"
