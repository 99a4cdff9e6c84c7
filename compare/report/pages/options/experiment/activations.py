"""Every Keras activation in a Keras cell and in the emulated cell, and the masks of dropout inside a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from compare.report.arrays import Array, flat
from compare.report.pages.options.experiment.trials import try_out
from compare.report.results import Results, exact
from frameworks import convert, emulate
from frameworks.counterparts import REFUSED_ACTIVATIONS
from frameworks.errors import GatewiseError

_NOT_ACTIVATIONS = ("get", "serialize", "deserialize")
_PLACES = (
    ("SimpleRNNCell", "activation"),
    ("LSTMCell", "activation"),
    ("LSTMCell", "recurrent_activation"),
    ("GRUCell", "activation"),
    ("GRUCell", "recurrent_activation"),
)
_BATCH, _INPUT, _UNITS, _TIME, _RATE = 4, 3, 5, 3, 0.5


def run_activations() -> Results:
    """Step an LSTM cell with each activation that keras.activations or the emulation knows by name."""
    from frameworks.keras_in_torch.layers.activations import ACTIVATIONS

    functions = keras_activations()
    cells = make_cells()
    return {name: run_activation(name, functions, cells) for name in dict.fromkeys([*sorted(functions), *ACTIVATIONS])}


def keras_activations() -> dict[str, Any]:
    """Return the functions of keras.activations by name."""
    import keras

    members = vars(keras.activations).items()
    return {name: one for name, one in members if callable(one) and name not in _NOT_ACTIVATIONS}


def run_activation(name: str, functions: dict[str, Any], cells: dict[str, Any]) -> Results:
    """Step an LSTM cell whose gates and candidate have one activation, in both frameworks.

    Args:
        name: the name of the activation.
        functions: the Keras activations by name.
        cells: built Keras cells, by class, which get the activation for as long as they are used.
    """
    from frameworks.keras_in_torch.layers.activations import ACTIVATIONS

    function = functions.get(name, _keras2_hard_sigmoid)
    native = [[place, kind.removesuffix("Cell")] for kind, place in _PLACES if _converts(cells[kind], place, function)]
    known: dict[str, Any] = {"in Keras": exact("yes" if name in functions else "no"), "native": exact(native)}
    cell, x, states = cells["LSTMCell"], *_draw()
    with _having(cell, activation=function, recurrent_activation=function):
        if name in REFUSED_ACTIVATIONS:
            refused = _fails(GatewiseError, lambda: emulate(cell)) and _fails(Exception, lambda: cell(x, states))
            return {**known, "fate": exact("refused"), "why": exact(REFUSED_ACTIVATIONS[name]), "as said": exact(refused)}
        if name not in ACTIVATIONS and getattr(function, "__name__", name) not in ACTIVATIONS:
            return {**known, "fate": exact("unmapped"), "mapped": exact(value=False)}
        expected = flat(cell(x, states))
        emulated = emulate(cell) if name in functions else None
    emulated = _write(cell, name) if emulated is None else emulated
    error = try_out(lambda: flat(emulated(*_to_torch(x, states))), expected)
    return {**known, "fate": exact("emulated"), "emulate": error}


@contextmanager
def _having(cell: Any, **functions: Any) -> Iterator[None]:
    before = {place: getattr(cell, place) for place in functions}
    for place, function in functions.items():
        setattr(cell, place, function)
    try:
        yield
    finally:
        for place, function in before.items():
            setattr(cell, place, function)


def make_cells() -> dict[str, Any]:
    """Build one cell of each Keras class, with random weights."""
    from keras import layers

    cells = {kind: getattr(layers, kind)(_UNITS) for kind, _ in _PLACES}
    rng = np.random.default_rng(21)
    for cell in cells.values():
        cell.build((_BATCH, _INPUT))
        cell.set_weights([rng.normal(0, 0.3, variable.shape) for variable in cell.weights])
    return cells


def _draw() -> tuple[Array, list[Array]]:
    rng = np.random.default_rng(22)
    x, h, c = (rng.normal(0, 0.5, (_BATCH, size)).astype("float32") for size in (_INPUT, _UNITS, _UNITS))
    return x, [h, c]


def _to_torch(x: Array, states: list[Array]) -> tuple[Any, list[Any]]:
    import torch

    return torch.from_numpy(x), [torch.from_numpy(state) for state in states]


def _converts(cell: Any, place: str, function: Any) -> bool:
    """Return whether torch's cell has an activation in one place."""
    with _having(cell, **{place: function}):
        return not _fails(GatewiseError, lambda: convert(cell))


def _write(cell: Any, name: str) -> Any:
    """Construct a cell with the weights of a Keras cell, and an activation that Keras 3 does not have."""
    from frameworks.keras_in_torch.layers import KerasLSTMCell

    written = KerasLSTMCell(_UNITS, name, recurrent_activation=name, input_size=_INPUT)
    written.load_state_dict(emulate(cell).state_dict())
    return written


def _keras2_hard_sigmoid(x: Any) -> Any:
    from keras import ops

    return ops.clip(0.2 * x + 0.5, 0, 1)


def _fails(kind: type[Exception], work: Callable[[], object]) -> bool:
    try:
        work()
    except kind:
        return True
    return False


def run_dropout() -> Results:
    """Show the masks of dropout inside a cell, with a layer that otherwise passes its input, or its state, on unchanged.

    A linear simple RNN whose kernel is the identity returns its input times the mask of each time step. If only the recurrent
    kernel is the identity, it returns its initial state times the product of the masks so far.
    """
    import torch
    from keras import layers

    results = {}
    for argument, kernel, recurrent in (("dropout", "identity", "zeros"), ("recurrent_dropout", "zeros", "identity")):
        layer = layers.SimpleRNN(
            _UNITS,
            "linear",
            kernel_initializer=kernel,
            recurrent_initializer=recurrent,
            return_sequences=True,
            seed=1,
            **{argument: _RATE},
        )
        ones = np.ones((_BATCH, _TIME, _UNITS), "float32")
        returned = flat(layer(ones, initial_state=[ones[:, 0]], training=True))[0]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            emulated = emulate(layer)(torch.from_numpy(ones), [torch.from_numpy(ones[:, 0])], training=True)
        results[argument] = {
            "keras": exact(describe_masks(returned, growing=argument == "recurrent_dropout")),
            "pytorch": exact(describe_masks(flat(emulated)[0], growing=argument == "recurrent_dropout")),
        }
        results[argument]["the same"] = exact(results[argument]["keras"] == results[argument]["pytorch"])
    return results


def describe_masks(outputs: Array, *, growing: bool) -> str:
    """Describe the masks drawn by a layer that otherwise passes its input or state on unchanged.

    Args:
        outputs: (batch, time, hidden), the outputs of the layer.
        growing: whether each step multiplies the result of the step before.
    """
    powers = np.arange(_TIME) if growing else np.zeros(_TIME)
    masks = outputs * _RATE ** powers[:, None]
    values = ", ".join(f"{value:g}" for value in np.unique(masks))
    fixed = "the same mask at every time step" if (masks == masks[:, :1]).all() else "a new mask at each time step"
    rows = "a different one for each row" if (masks[0] != masks[1:]).any() else "the same for all rows"
    return f"factors {values}; {fixed}, {rows}"
