"""The hidden and cell states of an LSTM and a GRU over time, in both frameworks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.cases import draw_weights
from compare.parity.difference import measure
from compare.report.results import Results, control, environment, exact, measured
from compare.report.snippets import run_snippet
from frameworks import RecurrentSpec, build, convert
from frameworks.adapter import Adapter
from frameworks.registry import adapt
from frameworks.spec import CellName

Array = npt.NDArray[np.floating]

_INPUT, _HIDDEN, _TIME = 3, 8, 40
_CELLS: tuple[CellName, ...] = ("lstm", "gru")

KERAS_CODE = """\
runner = keras.layers.RNN(layer.cell, return_sequences=True, return_state=True)   # the same weights, other flags
states, trace = None, []
for t in range(x.shape[1]):
    output, *states = runner(x[:, t : t + 1], initial_state=states)               # h, and c if there is one
    trace.append([keras.ops.convert_to_numpy(state)[0] for state in states])      # each (hidden,)
"""

PYTORCH_CODE = """\
state, trace = None, []
with torch.no_grad():
    for t in range(x.shape[1]):
        output, state = rnn(torch.from_numpy(x[:, t : t + 1]), state)             # h_n, or (h_n, c_n)
        rows = state if isinstance(state, tuple) else (state,)
        trace.append([row[0, 0].numpy() for row in rows])                         # each (hidden,)
"""


def run(progress: Callable[[str], None]) -> Results:
    """Step the layers of both frameworks through the same sequence, and keep every state."""
    results: dict[str, Any] = {"keras code": exact(KERAS_CODE), "pytorch code": exact(PYTORCH_CODE)}
    x = _signal()
    for cell in _CELLS:
        progress(f"{cell} over {_TIME} time steps")
        results[cell] = _run_cell(cell, x)
    return results


def _run_cell(cell: CellName, x: Array) -> Results:
    import keras
    import torch

    spec = RecurrentSpec(cell, _INPUT, _HIDDEN)
    layer = build("keras", spec)
    layer.set_weights(draw_weights(spec, seed=11, scale=0.6))
    module = adapt(convert(layer, to="pytorch"))
    traces = {
        "keras": _trace(KERAS_CODE, {"keras": keras, "layer": layer.native, "x": x}),
        "pytorch": _trace(PYTORCH_CODE, {"torch": torch, "rnn": module.native, "x": x}),
    }
    # If the last traced state is not the final state of one whole call, the picture shows something else.
    for framework, adapter in (("keras", layer), ("pytorch", module)):
        _require_final(adapter, x, traces[framework])
    states: dict[str, Any] = {}
    for index, state in enumerate(spec.state_names):
        one, other = (traces[framework][:, index] for framework in ("keras", "pytorch"))
        difference = measure(one, other)
        states[state] = {
            "keras": environment(_rounded(one)),
            "pytorch": environment(_rounded(other)),
            "signed difference": environment((one.astype(np.float64) - other).tolist()),
            "difference": measured(difference.max_abs, TOLERANCES["float32"] * difference.scale),
            "largest": measured(float(np.abs(one).max()), 1.0) if state == "h" else control(float(np.abs(one).max())),
        }
    return states


def _trace(code: str, names: dict[str, Any]) -> Array:
    """Run code that steps through a sequence, and return its states: (time, state, hidden)."""
    _, names = run_snippet(code, names)
    return np.array(names["trace"])


def _require_final(adapter: Adapter, x: Array, trace: Array) -> None:
    result = adapter.forward(x)
    finals = [row[0, 0] for row in (result.h_n, result.c_n) if row is not None]
    np.testing.assert_allclose(trace[-1], np.array(finals), atol=TOLERANCES["float32"])


def _signal() -> Array:
    """Return a step, a ramp and an oscillation, which move the states visibly: (batch, time, input)."""
    time = np.arange(_TIME)
    columns = (np.where((time > 8) & (time < 20), 1.5, -0.5), np.linspace(-1, 1, _TIME), np.sin(time / 2.5))
    return np.stack(columns, axis=-1)[None].astype("float32")


def _rounded(trace: Array) -> list[list[float]]:
    return [[round(float(value), 5) for value in row] for row in trace]
