"""Masked time steps in both frameworks: the output, the final state, and how to get the same in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.difference import measure
from compare.report.arrays import Array, flat
from compare.report.pages.masking.experiment.flow import run_flow, run_nan, run_quirks
from compare.report.results import Results, control, environment, exact, measured
from compare.report.snippets import run_snippet

_TOLERANCE = TOLERANCES["float32"]
KINDS = ("right", "left", "holes", "empty")
"""The kind of mask of each row of the batch."""

SETUP = """\
import keras
import numpy as np
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from gatewise import convert, emulate

rng = np.random.default_rng(8)
x = rng.normal(size=(4, 9, 3)).astype("float32")                         # (batch, time, input)
mask = np.array([[1, 1, 1, 1, 1, 0, 0, 0, 0],                            # padding on the right
                 [0, 0, 0, 0, 1, 1, 1, 1, 1],                            # on the left
                 [1, 1, 0, 1, 0, 0, 1, 1, 0],                            # holes
                 [0, 0, 0, 0, 0, 0, 0, 0, 0]], dtype=bool)               # no valid step at all

def randomised(layer):                                                   # biases too: Keras's zeros would hide mistakes
    layer.build(x.shape)
    layer.set_weights([rng.normal(0, 0.6, weight.shape) for weight in layer.weights])
    return layer

layer = randomised(keras.layers.LSTM(4, return_sequences=True, return_state=True))
both = randomised(keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True, return_state=True)))

output, h, c = layer(x, mask=mask)                                       # repeats the last valid output
both_output, h_f, c_f, h_b, c_b = both(x, mask=mask)                     # zeros
"""

PACKED = """\
lengths = mask.sum(dim=1)                                                # correct only if the valid steps come first
packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
output, (h_n, c_n) = rnn(packed)
output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
"""

RUN_MASKED = """\
def run_masked(rnn, x, mask, zero_output):
    first = (~mask).byte().argsort(dim=1, stable=True)                   # the valid steps, in order, then the others
    lengths = mask.sum(dim=1)
    packed = pack_padded_sequence(
        x.take_along_dim(first.unsqueeze(-1), dim=1), lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False
    )
    output, (h_n, c_n) = rnn(packed)
    output, _ = pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])
    latest = mask.cumsum(dim=1) - 1                                      # the latest valid step, -1 before the first one
    output = output.take_along_dim(latest.clamp(min=0).unsqueeze(-1), dim=1)
    shown = mask if zero_output else latest >= 0
    empty = (lengths == 0).unsqueeze(-1)                                 # these rows keep their initial states: zeros
    return output.masked_fill(~shown.unsqueeze(-1), 0), (h_n.masked_fill(empty, 0), c_n.masked_fill(empty, 0))

"""

ANY_MASK = f"""\
{RUN_MASKED}
output, (h_n, c_n) = run_masked(rnn, x, mask, zero_output=rnn.bidirectional)
"""

EMULATED = """\
output, h, c = emulate(layer)(x, mask=mask)
both_output, h_f, c_f, h_b, c_b = emulate(both)(x, mask=mask)
"""

UNPACKED = """\
output, (h_n, c_n) = rnn(x)                                              # computes on the padding too
"""

_WAYS = {"unpacked": UNPACKED, "packed": PACKED, "any mask": ANY_MASK}
"""The code in torch, by way."""
_RIGHT = {
    ("unpacked", "one", "right"): ("valid",),
    ("packed", "one", "right"): ("valid", "state"),
    ("packed", "both", "right"): ("valid", "masked", "state"),
}
"""The parts in which the two simpler ways agree with Keras; the other ways agree everywhere."""
_NEEDS_A_STEP = "packed"
"""The way that torch refuses for a row without any valid step."""

Parts = tuple[Array, list[Array]]
"""The output, (batch, time, direction * hidden), and the states in Keras's order, each (batch, hidden)."""


def run(progress: Callable[[str], None]) -> Results:
    """Run every mask through Keras and through each way of writing the same in torch."""
    progress("right, left and hole masks")
    _, names = run_snippet(SETUP)
    x, mask = names["x"], names["mask"]
    layers = {"one": names["layer"], "both": names["both"]}
    expected = {"one": _parts(names, "output h c"), "both": _parts(names, "both_output h_f c_f h_b c_b")}
    ways = {directions: _run_ways(names, native) for directions, native in layers.items()}
    _, emulated = run_snippet(EMULATED, {**names, **_tensors(x, mask)})
    ways["one"]["emulate"] = _parts(emulated, "output h c")
    ways["both"]["emulate"] = _parts(emulated, "both_output h_f c_f h_b c_b")
    differences = {
        directions: {way: _compare(way, directions, expected[directions], actual, mask) for way, actual in one.items()}
        for directions, one in ways.items()
    }
    progress("quirks, sources and NaN")
    return {
        "setup": exact(SETUP),
        "unpacked": exact(UNPACKED),
        "packed": exact(PACKED),
        "any mask": exact(ANY_MASK),
        "emulated": exact(EMULATED),
        "picture": _picture(names, expected, ways["one"]),
        "differences": differences,
        "quirks": run_quirks(names),
        "final state": _run_final_state(names, expected["one"]),
        "flow": run_flow(names),
        "nan": run_nan(names, RUN_MASKED),
    }


def _tensors(x: Array, mask: Array) -> dict[str, Any]:
    import torch

    return {"x": torch.from_numpy(x), "mask": torch.from_numpy(mask)}


def _parts(names: dict[str, Any], wanted: str) -> Parts:
    output, *states = (flat(names[name])[0] for name in wanted.split())
    return output, states


def _run_ways(names: dict[str, Any], native: Any) -> dict[str, Parts]:
    from frameworks import convert

    rnn = convert(native)
    parts = {}
    for way, code in _WAYS.items():
        rows = slice(0, 3 if way == _NEEDS_A_STEP else 4)
        _, after = run_snippet(code, {**names, **_tensors(names["x"][rows], names["mask"][rows]), "rnn": rnn})
        states = [state[row] for row in range(len(after["h_n"])) for state in (after["h_n"], after["c_n"])]
        parts[way] = (flat(after["output"])[0], flat(states))
    return parts


def _compare(way: str, directions: str, expected: Parts, actual: Parts, mask: Array) -> Results:
    """Compare each row of the batch: valid steps, masked steps, and final states."""
    errors: dict[str, Any] = {}
    for row, kind in enumerate(KINDS):
        if row == len(actual[0]):
            errors[kind] = exact("refused by torch")
            continue
        steps = {"valid": mask[row], "masked": ~mask[row]}
        sizes = {
            part: measure(expected[0][row][counts], actual[0][row][counts]).max_abs
            for part, counts in steps.items()
            if counts.any()
        }
        sizes["state"] = max(measure(one[row], other[row]).max_abs for one, other in zip(expected[1], actual[1], strict=True))
        right = _RIGHT.get((way, directions, kind), ()) if way in ("unpacked", "packed") else tuple(sizes)
        errors[kind] = {part: measured(size, _TOLERANCE) if part in right else control(size) for part, size in sizes.items()}
    return errors


def _picture(names: dict[str, Any], expected: dict[str, Parts], ways: dict[str, Parts]) -> Results:
    """Return the outputs of the first three rows, (row, time, hidden), for the figure."""
    keras, native = names["keras"], names["layer"]
    zeros = keras.layers.RNN(native.cell, return_sequences=True, zero_output_for_mask=True)(names["x"], mask=names["mask"])
    panels = {
        "keras": expected["one"][0],
        "keras zero_output_for_mask": flat(zeros)[0],
        "keras bidirectional": expected["both"][0],
        "packed": ways["packed"][0],
        "unpacked": ways["unpacked"][0],
    }
    shown = {name: environment(np.round(outputs[:3].astype(float), 4).tolist()) for name, outputs in panels.items()}
    return {"mask": exact(names["mask"][:3].tolist()), "outputs": shown}


def _run_final_state(names: dict[str, Any], expected: Parts) -> Results:
    """Compare the final state with the last output, and start a row without any valid step from a state."""
    output, (h, _) = expected
    ones = [np.ones((4, 4), "float32")] * 2
    outputs, state, _ = flat(names["layer"](names["x"], mask=names["mask"], initial_state=ones))
    empty = KINDS.index("empty")
    return {
        "output[:, -1] - h": measured(measure(output[:, -1], h).max_abs, 0.0),
        "output of an empty row": measured(float(np.abs(outputs[empty]).max()), 0.0),
        "state of an empty row - initial state": measured(measure(state[empty], ones[0][empty]).max_abs, 0.0),
    }
