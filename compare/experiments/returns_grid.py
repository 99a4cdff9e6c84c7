"""The return-value map, executed: every cell, flag, merge mode and nesting against Keras's own call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from compare.cases import draw_weights
from compare.difference import measure
from compare.results import Results, exact, measured
from compare.returns import ReturnsMap, returns_map
from compare.tolerance import TOLERANCES
from frameworks import RecurrentSpec, adapt, build
from frameworks.spec import CellName

_INPUT, _HIDDEN, _BATCH, _TIME = 5, 4, 3, 2
_FLAGS = tuple(product((False, True), (False, True)))
_NAMES: dict[CellName, str] = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
_FULL: tuple[CellName, ...] = ("lstm", "gru")
"""The cells that are run with every set of flags; a simple RNN returns what a GRU does."""


@dataclass(frozen=True)
class Form:
    """One way of writing a recurrent layer in Keras.

    Args:
        title: what it is, for the reader.
        code: the Keras expression, with CELL for the layer's class, FLAGS for the return flags.
        num_layers: of the PyTorch twin.
        bidirectional: of the PyTorch twin.
    """

    title: str
    code: str
    num_layers: int = 1
    bidirectional: bool = False


_BACKWARD = "backward_layer=CELL(4, go_backwards=True, FLAGS)"
FORMS = (
    Form("one layer", "CELL(4, FLAGS)"),
    Form("one layer, backwards", "CELL(4, go_backwards=True, FLAGS)"),
    Form("Bidirectional", "Bidirectional(CELL(4, FLAGS))", bidirectional=True),
    *(
        Form(f"Bidirectional, merge_mode={mode!r}", f"Bidirectional(CELL(4, FLAGS), merge_mode={mode!r})", bidirectional=True)
        for mode in ("sum", "mul", "ave", None)
    ),
    Form("Bidirectional with a backward_layer of its own", f"Bidirectional(CELL(4, FLAGS), {_BACKWARD})", bidirectional=True),
    Form(
        "Bidirectional, backwards",
        "Bidirectional(CELL(4, go_backwards=True, FLAGS), backward_layer=CELL(4, FLAGS))",
        bidirectional=True,
    ),
    Form("stacked cells", "RNN([CELLCell(4), CELLCell(4)], FLAGS)", num_layers=2),
    Form("stacked cells, backwards", "RNN([CELLCell(4), CELLCell(4)], go_backwards=True, FLAGS)", num_layers=2),
)


def run_grid(progress: Callable[[str], None]) -> Results:
    """Compare what each layer returns with what the map makes of its PyTorch twin's results, and back."""
    found: dict[str, dict[str, Results]] = {}
    for cell, name in _NAMES.items():
        progress(f"the map of {name}")
        found[name] = {code: entry for form in FORMS for code, entry in _run_form(cell, form)}
    return found


def _run_form(cell: CellName, form: Form) -> Iterator[tuple[str, Results]]:
    spec = RecurrentSpec(cell, _INPUT, _HIDDEN, form.num_layers, form.bidirectional)
    weights = draw_weights(spec, seed=len(form.code))
    x = np.random.default_rng(4).normal(size=(_BATCH, _TIME, _INPUT)).astype("float32")
    twin = build("pytorch", spec)
    twin.set_weights(weights)
    for sequences, state in _FLAGS if cell in _FULL else (_FLAGS[0], _FLAGS[-1]):
        code = _written(form.code, cell, {"return_sequences": sequences, "return_state": state})
        layer = _evaluate(code)
        layer.build((None, None, _INPUT))
        adapt(layer).set_weights(weights)
        mapping = returns_map(layer)
        result = twin.forward(x[:, ::-1].copy() if mapping.options.go_backwards else x)
        returned = layer(x)
        error = max(_errors(returned, mapping.to_keras(result.output, result.h_n, result.c_n)))
        back = mapping.to_torch(returned)
        pairs = [(getattr(result, name), getattr(back, name)) for name in ("output", "h_n", "c_n")]
        way_back = [measure(one, other).max_abs for one, other in pairs if one is not None and other is not None]
        yield code, _described(mapping, form, error, way_back)


def _described(mapping: ReturnsMap, form: Form, error: float, way_back: list[float]) -> Results:
    tolerance = TOLERANCES["float32"]
    return {
        "form": exact(form.title),
        "call": exact(mapping.call),
        "items": exact([[item.keras, item.meaning, f"({', '.join(item.shape)})", item.pytorch] for item in mapping.items]),
        "also": exact([[f"{one.text}", one.caveat] for item in mapping.items for one in item.equivalents]),
        "reverse": exact(
            [
                [entry.pytorch, entry.keras, [f"{name}={value!r}" for name, value in entry.changed], entry.missing]
                for entry in mapping.reverse
            ]
        ),
        "error": measured(error, tolerance),
        **({"error of the way back": measured(max(way_back), tolerance)} if way_back else {}),
    }


def _written(code: str, cell: CellName, flags: dict[str, bool]) -> str:
    shown = ", ".join(f"{name}=True" for name, value in flags.items() if value)
    return code.replace("CELL", _NAMES[cell]).replace(", FLAGS", f", {shown}" if shown else "")


def _evaluate(code: str) -> Any:
    import keras

    # The weights are set next: zeros spare the time of drawing them.
    start = {"kernel_initializer": "zeros", "recurrent_initializer": "zeros"}
    quick = {name: partial(getattr(keras.layers, name), **start) for cell in _NAMES.values() for name in (cell, f"{cell}Cell")}
    return eval(code, {"__builtins__": {}}, {**vars(keras.layers), **quick})  # noqa: S307  the code is this module's own text


def _errors(returned: Any, mapped: Any) -> Iterator[float]:
    if isinstance(mapped, (tuple, list)):
        for one, other in zip(returned, mapped, strict=True):
            yield from _errors(one, other)
    else:
        yield measure(np.asarray(returned), mapped).max_abs
