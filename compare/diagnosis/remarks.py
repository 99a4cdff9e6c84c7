"""What a diagnosis says beside its findings: what the data cannot show, what would tell twins apart, how it was computed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from types import MappingProxyType

import numpy as np

from compare.diagnosis.result import Finding
from compare.diagnosis.sides.case import Case
from compare.diagnosis.sides.port_side import PortSide
from compare.diagnosis.sides.port_tensors import HALVES, first_parameter
from compare.diagnosis.sides.right_side import Data
from frameworks.spec import RecurrentSpec
from frameworks.weights import DirectionWeights, RecurrentWeights

_HALF = 1e-2
_TF32 = 5e-3
_SHOWN = "a result with all time steps, as with return_sequences=True"
_PADDED = "a mask that is False at the start of some rows and at the end of others"
_LARGE = "inputs and states ten times as large"
_BIASES = "trained biases, which are neither 0 nor 1, and of which the first and the second differ"
_SIZES = "an input size that is not the hidden size"
_GATES = "a recurrent kernel of several gates"
_CALLS = "several calls in a row, with inputs that differ"
_DIRECTIONS = "directions whose weights differ"
_LAYERS = "layers whose weights differ"
TELLING: Mapping[str, str] = MappingProxyType(
    {
        "activation": _LARGE,
        "backward-not-flipped": _SHOWN,
        "batch-first": "a batch and a sequence of different lengths",
        "bias-doubled": _BIASES,
        "bias-dropped": _BIASES,
        "bias-halved": _BIASES,
        "biases-summed": _BIASES,
        "biases-swapped": _BIASES,
        "cell-activation": _LARGE,
        "cudnn-layout-read-as-plain": _SIZES,
        "direction-repeated": _DIRECTIONS,
        "directions-swapped": _DIRECTIONS,
        "forget-bias-missing": _BIASES,
        "forget-bias-twice": _BIASES,
        "from-another-layer": _LAYERS,
        "gate-blocks-not-transposed": _SIZES,
        "gates-permuted": "gates whose weights differ",
        "halves-interleaved": "more than one unit",
        "halves-swapped": _DIRECTIONS,
        "input-not-flipped": _SHOWN,
        "inputs-permuted": "input features whose weights differ",
        "kernel-reshaped": _SIZES,
        "layers-swapped": _LAYERS,
        "mask-ignored": _PADDED,
        "mask-ignored-backwards": _PADDED,
        "mask-inverted": _PADDED,
        "mask-read-as-lengths": _PADDED,
        "masked-steps-shown-otherwise": "a result with all time steps, and a mask",
        "merge-mode": _DIRECTIONS,
        "output-not-flipped": "a longer sequence",
        "recurrent-activation": _LARGE,
        "recurrent-bias-dropped": _BIASES,
        "recurrent-kernel-not-transposed": _GATES,
        "recurrent-kernel-reshaped": _GATES,
        "reset-after": "states and recurrent biases that are far from zero",
        "rounded": "weights with more digits",
        "scaled": _LARGE,
        "state-directions-swapped": "initial states that differ between the directions",
        "state-forgotten": "initial states that are far from zero",
        "state-kept": _CALLS,
        "state-not-kept": _CALLS,
        "states-swapped": "h_0 and c_0 that differ",
        "units-permuted": "hidden units whose weights differ",
        "update-gate-inverted": "initial states that are far from zero",
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
        told = dict.fromkeys(TELLING[name] for name in names if name in TELLING)
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
    yield from _alike(adapter.get_weights(), adapter.spec)
    yield from _indifferent(case.data)


def _alike(weights: RecurrentWeights, spec: RecurrentSpec) -> Iterator[str]:
    """Yield which mistakes with the weights make no difference, because weights are alike."""
    if spec.bidirectional and all(_same(*row) for row in weights.layers):
        yield "both directions of the right layer have the same weights, so that exchanging them makes no difference"
    if any(_same(*pair) for pair in combinations([row[0] for row in weights.layers], 2)):
        yield "layers of the right stack have the same weights, so that exchanging them makes no difference"
    kernels = [one.recurrent_kernel for *_, one in weights]
    if spec.hidden_size > 1 and all(np.array_equal(kernel, kernel.transpose(0, 2, 1)) for kernel in kernels):
        yield "the recurrent kernels are symmetric, so that transposing their blocks makes no difference"


def _same(one: DirectionWeights, other: DirectionWeights) -> bool:
    pairs = zip(one.arrays(), other.arrays(), strict=True)
    return all(np.array_equal(array, beside) for (_, array), (_, beside) in pairs)


def _indifferent(data: Data) -> Iterator[str]:
    """Yield which mistakes with the call make no difference with this data."""
    rows, steps = data.inputs.shape[:2]
    if data.mask is not None and data.mask.all():
        yield "the mask is True at every step, so that ignoring it makes no difference"
    if data.states is not None and not any(state.any() for state in data.states):
        yield "the initial states are zero, so that forgetting them makes no difference"
    if steps == 1:
        yield "there is one time step, so that the order of time makes no difference"
    if rows == 1:
        yield "there is one row, so that the order of the rows makes no difference"


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
