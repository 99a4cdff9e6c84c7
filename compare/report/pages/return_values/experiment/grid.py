"""The return-value map, executed: the results of each layer are compared with the map of PyTorch's results, and back.

A layer is built once, and its flags are set before each call, when Keras reads them. Building a layer takes as long as
thirty calls. On torch every form is called with every setting. On TensorFlow a call outside of a graph takes as long as ten on
torch, so only the plain forms are called, with the plain settings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from compare.groundwork.tolerance import TOLERANCES
from compare.parity.cases import draw_weights
from compare.parity.difference import measure
from compare.report.pages.return_values.experiment.forms import CELLS, FORMS, Form, Setting
from compare.report.results import Results, Value, exact, measured
from compare.report.snippets import run_snippet
from compare.returns.evaluation import as_numpy
from compare.returns.mapping import ReturnsMap, returns_map
from frameworks import adapt, build, copy_weights
from frameworks.errors import GatewiseError, InvalidValueError
from frameworks.spec import CellName

Arrays = dict[str, npt.NDArray[np.floating]]
Row = dict[str, Value]

_INPUT, _BATCH, _TIME = 5, 3, 2


def run(progress: Callable[[str], None]) -> Results:
    """Call every form and setting that belongs to this process's backend."""
    import keras
    import torch

    everything = keras.backend.backend() == "torch"
    grid: dict[str, dict[str, Any]] = {}
    for cell, name in CELLS.items():
        progress(f"the map of {name}")
        kinds = grid.setdefault(name, {})
        for form in FORMS:
            if everything or form.plain:
                settings = [setting for setting in form.settings() if everything or setting.plain]
                with torch.no_grad():
                    _run_form(form, cell, settings, kinds.setdefault(form.kind, {"written": {}, "refused": {}, "rows": {}}))
    return grid


def _run_form(form: Form, cell: CellName, settings: Sequence[Setting], entry: dict[str, dict[str, Any]]) -> None:
    """Add a call of a form with each setting to the entry of its kind, or a note on who refuses it."""
    code = form.code(cell)
    try:
        layers = _build(code)
        mapping = returns_map(layers)
    except ValueError as error:
        message = re.sub(r" \(\w+\)", "", str(error))  # the layer's name, with its counter, would differ from run to run
        entry["refused"][code] = exact({"by": "map" if isinstance(error, GatewiseError) else "keras", "because": message})
        return
    entry["written"][form.code(cell, ", FLAGS", ", merge_mode=MODE")] = exact(mapping.code)
    x = np.random.default_rng(4).normal(size=(_BATCH, _TIME, _INPUT)).astype("float32")
    arrays = _run_pytorch(mapping, layers, x)
    *lower, last = layers
    given: Any = x
    for layer in lower:
        given = layer(given)
    for setting in settings:
        _set(last, setting)
        row = {"setting": exact(asdict(setting)), "calls": exact(1), **_compare(returns_map(layers), last(given), arrays)}
        name = ", ".join(f"{key}={value!r}" for key, value in asdict(setting).items())
        entry["rows"][name] = _joined(entry["rows"][name], row) if name in entry["rows"] else row


def _build(code: str) -> list[Any]:
    import keras

    made = eval(code, {"__builtins__": {}}, vars(keras.layers))  # noqa: S307  the code is this project's own
    layers = made if isinstance(made, list) else [made]
    size = _INPUT
    for layer in layers:
        layer.build((None, None, size))
        size = layer.compute_output_shape((None, None, size))[-1]
    return layers


def _set(layer: Any, setting: Setting) -> None:
    """Change a built layer as if it had been built with this setting."""
    directions = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else []
    for part in (layer, *directions):
        part.return_sequences, part.return_state = setting.return_sequences, setting.return_state
    for part in directions:
        layer.merge_mode = setting.merge_mode
        part.zero_output_for_mask = setting.return_sequences  # as Bidirectional's constructor does


def _run_pytorch(mapping: ReturnsMap, layers: list[Any], x: npt.NDArray[np.floating]) -> Arrays:
    """Copy the weights and run the lines that the map prints; return output, h_n and, for an LSTM, c_n."""
    import torch

    parts: dict[str, Any] = {"rnn": layers}
    if mapping.needs_two_modules:
        parts = {"forward_rnn": layers[0].forward_layer, "backward_rnn": layers[0].backward_layer}
    names: dict[str, Any] = {"torch": torch, "x": torch.from_numpy(x)}
    for seed, (name, part) in enumerate(parts.items()):
        source = adapt(part)
        source.set_weights(draw_weights(source.spec, seed))
        twin = build("pytorch", source.spec)
        copy_weights(source, twin)
        names[name] = twin.native
    _, names = run_snippet(mapping.code, names)
    return {name: names[name].numpy() for name in ("output", "h_n", "c_n") if name in names}


def _compare(mapping: ReturnsMap, returned: Any, arrays: Arrays) -> Row:
    """Return the map, and its errors in both directions."""
    back = mapping.to_torch(returned)
    pairs = [(array, getattr(back, name)) for name, array in arrays.items()]
    way_back = [measure(one, other).max_abs for one, other in pairs if other is not None]
    error = max(_errors(returned, mapping.to_keras(**arrays)))
    tolerance = TOLERANCES["float32"]
    return {
        "items": exact([[item.keras, f"({', '.join(item.shape)})", item.pytorch] for item in mapping.items]),
        "also": exact([[one.text, one.caveat] for item in mapping.items for one in item.equivalents]),
        "reverse": exact(
            [
                [entry.pytorch, entry.keras, [f"{name}={value!r}" for name, value in entry.changed], entry.missing]
                for entry in mapping.reverse
            ]
        ),
        "error": measured(error, tolerance),
        **({"error of the way back": measured(max(way_back), tolerance)} if way_back else {}),
    }


def _errors(returned: Any, mapped: Any) -> Iterator[float]:
    if isinstance(mapped, (tuple, list)):
        for one, other in zip(returned, mapped, strict=True):
            yield from _errors(one, other)
    else:
        yield measure(as_numpy("result", returned), mapped).max_abs


def _joined(row: Row, other: Row) -> Row:
    """Join two calls with the same map, which differ only in the directions, into a row with the larger errors."""
    if any(row[name] != other[name] for name in ("items", "also", "reverse")):
        raise InvalidValueError.because(
            "forms of one kind",
            must="have one map",
            but="differ in theirs",
            remedy="Give them two kinds in compare/report/pages/return_values/experiment/forms.py.",
        )
    errors = {name: max(row[name], other[name], key=_size) for name in row if name.startswith("error")}
    return {**row, **errors, "calls": exact(row["calls"].value + other["calls"].value)}


def _size(error: Value) -> float:
    return math.inf if error.value is None else float(error.value)
