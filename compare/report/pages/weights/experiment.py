"""The order of the gates in both frameworks, the code that ports weights by hand, and the error of each mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.cases import draw_weights
from compare.parity.difference import measure
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet
from frameworks import RecurrentSpec, adapt, build, copy_weights
from frameworks.layouts import KERAS, PYTORCH, Layout
from frameworks.spec import CellName

Array = npt.NDArray[np.floating]
Arrays = Mapping[str, Array]
Mistake = Callable[[Arrays], Arrays]

_INPUT, _HIDDEN, _BATCH, _TIME = 3, 4, 2, 6
_CELLS: tuple[CellName, ...] = ("rnn", "lstm", "gru")

LSTM_TO_PYTORCH = """\
kernel, recurrent_kernel, bias = layer.get_weights()  # (input, 4 * hidden), (hidden, 4 * hidden), (4 * hidden,)

rnn.load_state_dict({
    "weight_ih_l0": torch.tensor(kernel.T),            # gates in the same order: input, forget, candidate, output
    "weight_hh_l0": torch.tensor(recurrent_kernel.T),
    "bias_ih_l0": torch.tensor(bias),                  # one bias becomes two; only their sum matters
    "bias_hh_l0": torch.zeros(len(bias)),
})
"""

LSTM_TO_KERAS = """\
weights = {name: tensor.numpy() for name, tensor in rnn.state_dict().items()}

layer.set_weights([
    weights["weight_ih_l0"].T,
    weights["weight_hh_l0"].T,
    weights["bias_ih_l0"] + weights["bias_hh_l0"],
])
"""

GRU_TO_PYTORCH = """\
def swap(blocks):                                      # update, reset, candidate -> reset, update, candidate
    update, reset, candidate = np.split(blocks, 3, axis=-1)
    return np.concatenate([reset, update, candidate], axis=-1)

kernel, recurrent_kernel, bias = layer.get_weights()  # (input, 3 * hidden), (hidden, 3 * hidden), (2, 3 * hidden)

rnn.load_state_dict({
    "weight_ih_l0": torch.tensor(swap(kernel).T),
    "weight_hh_l0": torch.tensor(swap(recurrent_kernel).T),
    "bias_ih_l0": torch.tensor(swap(bias[0])),         # two biases on both sides: the reset gate scales one of them
    "bias_hh_l0": torch.tensor(swap(bias[1])),
})
"""

GRU_TO_KERAS = """\
def swap(blocks):                                      # reset, update, candidate -> update, reset, candidate
    reset, update, candidate = np.split(blocks, 3, axis=-1)
    return np.concatenate([update, reset, candidate], axis=-1)

weights = {name: tensor.numpy() for name, tensor in rnn.state_dict().items()}

layer.set_weights([
    swap(weights["weight_ih_l0"].T),
    swap(weights["weight_hh_l0"].T),
    np.stack([swap(weights["bias_ih_l0"]), swap(weights["bias_hh_l0"])]),
])
"""

_BY_HAND = {"lstm": (LSTM_TO_PYTORCH, LSTM_TO_KERAS), "gru": (GRU_TO_PYTORCH, GRU_TO_KERAS)}


def run(progress: Callable[[str], None]) -> Results:
    """Read the layouts from executed copies, run the code of the page, and leave out each of its steps on purpose."""
    results: dict[str, Any] = {"layouts": {}, "by hand": {}, "omitted": {}}
    for cell in _CELLS:
        progress(cell.upper())
        results["layouts"][cell] = _read_layouts(cell)
        if cell in _BY_HAND:
            results["by hand"][cell] = _run_by_hand(cell, *_BY_HAND[cell])
        results["omitted"][cell] = dict(_run_omissions(cell))
    return results


def _spec(cell: CellName, *, bidirectional: bool = False) -> RecurrentSpec:
    return RecurrentSpec(cell, _INPUT, _HIDDEN, bidirectional=bidirectional)


def _inputs() -> Array:
    return np.random.default_rng(5).normal(size=(_BATCH, _TIME, _INPUT)).astype("float32")


def _read_layouts(cell: CellName) -> Results:
    spec = _spec(cell)
    layer = build("keras", spec)
    stamped = np.repeat(np.arange(len(spec.gates), dtype="float32"), _HIDDEN)
    kernel = layer.native.cell.kernel
    kernel.assign(np.tile(stamped, (_INPUT, 1)))  # each gate's block in Keras's kernel holds the gate's number
    module = build("pytorch", spec)
    copy_weights(layer, module)
    landed = module.native.weight_ih_l0.detach().numpy()[::_HIDDEN, 0]
    keras_gates, pytorch_gates = KERAS.gates[cell], PYTORCH.gates[cell]
    return {
        "keras gates": exact(list(keras_gates)),
        "pytorch gates": exact(list(pytorch_gates)),
        "pytorch gates as copied": exact([keras_gates[int(number)] for number in landed]),
        "keras arrays": exact(_arrays(KERAS, spec, {v.name: tuple(v.shape) for v in layer.native.cell.weights})),
        "pytorch arrays": exact(
            _arrays(PYTORCH, spec, {name[:-3]: tuple(p.shape) for name, p in module.native.named_parameters()})
        ),
    }


def _arrays(layout: Layout, spec: RecurrentSpec, shapes: Mapping[str, tuple[int, ...]]) -> list[list[Any]]:
    stored = {array.name: array.axes for array in layout.parts(spec).values()}
    return [[name, stored[name], list(shape)] for name, shape in shapes.items()]


def _run_by_hand(cell: CellName, to_pytorch: str, to_keras: str) -> Results:
    import torch

    spec = _spec(cell)
    layer, module = build("keras", spec), build("pytorch", spec)
    names = {"np": np, "torch": torch, "layer": layer.native, "rnn": module.native}
    results: dict[str, Any] = {"to pytorch": exact(to_pytorch), "to keras": exact(to_keras)}
    for seed, (direction, code) in enumerate((("to pytorch", to_pytorch), ("to keras", to_keras))):
        (layer if direction == "to pytorch" else module).set_weights(draw_weights(spec, seed))
        run_snippet(code, names)
        results[f"{direction} error"] = measured(
            _distance(layer.forward(_inputs()), module.forward(_inputs())), TOLERANCES["float32"]
        )
    return results


def _distance(one: Any, other: Any) -> float:
    return max(measure(getattr(one, name), getattr(other, name)).max_abs for name in ("output", "h_n"))


def _run_omissions(cell: CellName) -> Iterator[tuple[str, Any]]:
    """Copy all weights, then once with each step left out, and measure the error of the output."""
    spec = _spec(cell, bidirectional=True)
    layer, module = build("keras", spec), build("pytorch", spec)
    layer.set_weights(draw_weights(spec, seed=9))
    expected = layer.forward(_inputs())
    copy_weights(layer, module)
    yield "nothing", measured(_distance(expected, module.forward(_inputs())), TOLERANCES["float32"])
    right = {name: parameter.detach().numpy().copy() for name, parameter in module.native.named_parameters()}
    for step, mistake in (_MISTAKES | (_GRU_MISTAKES if cell == "gru" else {})).items():
        broken = adapt(_load(module.native, mistake(right)))
        yield step, control(_distance(expected, broken.forward(_inputs())))


def _load(module: Any, arrays: Mapping[str, Array]) -> Any:
    import torch

    module.load_state_dict({name: torch.tensor(np.ascontiguousarray(array)) for name, array in arrays.items()})
    return module


def _change(names: str, function: Callable[[Array], Array]) -> Mistake:
    return lambda right: {name: function(array) if name.startswith(names) else array for name, array in right.items()}


def _swap_first_gates(right: Arrays) -> Arrays:
    """Leave a GRU's gates in Keras's order: swapping the first two twice changes nothing."""
    blocks = {name: np.split(array, 3) for name, array in right.items()}
    return {name: np.concatenate((second, first, third)) for name, (first, second, third) in blocks.items()}


def _swap_biases(right: Arrays) -> Arrays:
    other = {"bias_ih": "bias_hh", "bias_hh": "bias_ih"}
    return {name: right[other.get(name[:7], name[:7]) + name[7:]] if "bias" in name else array for name, array in right.items()}


def _sum_biases(right: Arrays) -> Arrays:
    summed = {name: right[name] + right[name.replace("_ih", "_hh")] for name in right if name.startswith("bias_ih")}
    return {**_change("bias_hh", np.zeros_like)(right), **summed}


def _swap_directions(right: Arrays) -> Arrays:
    return {name: right[name.removesuffix("_reverse") if name.endswith("_reverse") else f"{name}_reverse"] for name in right}


_MISTAKES: dict[str, Mistake] = {
    "kernel-transposed": _change("weight_ih", lambda array: array.T.reshape(array.shape)),
    "recurrent-kernel-transposed": _change(
        "weight_hh", lambda array: np.concatenate([block.T for block in np.split(array, len(array) // array.shape[1])])
    ),
    "bias-copied": _change("bias", np.zeros_like),
    "directions-kept-apart": _swap_directions,
}
"""The mistakes by the step that they leave out."""
_GRU_MISTAKES: dict[str, Mistake] = {
    "gates-reordered": _swap_first_gates,
    "biases-not-exchanged": _swap_biases,
    "biases-not-summed": _sum_biases,
}
