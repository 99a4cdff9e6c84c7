"""Inspecting a native Keras object: its library, its cells, and whether its call is the built-in one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from frameworks.cells import CellName, cells_by_name
from frameworks.errors import GatewiseError, InvalidTypeError, NoCounterpartError
from frameworks.keras.contents import refuse_whole
from frameworks.options import TIME_MAJOR

ONE_BY_ONE = "Use gatewise.emulate, which runs it as Keras does, or adapt and convert its layers, or its cells, one at a time."
"""The remedy for layers that Keras runs as one and torch does not."""

WITH_ONE = "Pass a recurrent layer, or a model that has one"

_CELL_CLASSES = cells_by_name("keras", "Cell")


def library_of(native: Any) -> ModuleType:
    """Return the library, keras or tf_keras, of a layer or of the first layer of a list."""
    first = native[0] if isinstance(native, (list, tuple)) else native
    roots = {base.__module__.partition(".")[0] for base in type(first).__mro__}
    return sys.modules["tf_keras"] if "tf_keras" in roots else import_module("keras")


def cells_of(layer: Any, library: ModuleType) -> tuple[list[Any], bool]:
    """Return the cells that a layer runs one after the other, and whether they were passed as a list, even of length one.

    Raises:
        GatewiseError: for a custom cell, a layer that overrides the built-in call, or one that is not batch-major.
    """
    require_no_convolution(layer)
    if getattr(layer, "time_major", False):
        raise refused(
            layer,
            "have the batch axis first",
            "has time_major=True",
            f"Build it with time_major=False and give it the same weights. {TIME_MAJOR}",
        )
    stacked = isinstance(layer.cell, library.layers.StackedRNNCells)
    if stacked:
        require_own_call(layer.cell, library, ("StackedRNNCells",))
        if getattr(layer.cell, "reverse_state_order", False):
            raise refused(
                layer.cell, "keep states in the order of its cells", "has reverse_state_order=True", "Build it without"
            )
    cells = list(layer.cell.cells) if stacked else [layer.cell]
    if not cells:
        raise refused(layer, "run at least one cell", "runs none", "Pass it the cells")
    for cell in cells:
        cell_name(cell, library)
    require_own_call(layer, library, (*cells_by_name("keras"), "RNN"))
    return cells, stacked


def require_no_convolution(layer: Any) -> None:
    """Raise an error for a ConvLSTM layer, by name."""
    if hasattr(getattr(layer, "cell", None), "kernel_size"):
        rank = len(layer.cell.kernel_size)
        raise refused(
            layer,
            "multiply by matrices, as SimpleRNN, LSTM and GRU do",
            "convolves its inputs and states, and torch.nn has no such layer",
            f"Write its step in torch with two torch.nn.functional.conv{rank}d: of the input, and of the hidden state with "
            f"padding='same'. Their weights are the kernels permuted to {(rank + 1, rank, *range(rank))}, their gates "
            "input, forget, candidate, output. Compare the results with those of the Keras layer, with "
            "numpy.testing.assert_allclose",
        )


def cell_name(cell: Any, library: ModuleType) -> CellName:
    """Return the name of a built-in cell.

    Raises:
        GatewiseError: for a custom cell, or one that overrides the built-in call.
    """
    for name, short in _CELL_CLASSES.items():
        if isinstance(cell, getattr(library.layers, name)):
            require_own_call(cell, library, (name,))
            return short
    if isinstance(cell, library.layers.StackedRNNCells):
        raise refused(cell, "be wrapped", "is bare", "Wrap it as keras.layers.RNN(cells)")
    if hasattr(cell, "state_size"):
        raise _custom_cell(cell, "is a class of its own")
    raise refuse_whole(cell, library) or InvalidTypeError.because(
        "the layer",
        must="be SimpleRNN, LSTM, GRU, Bidirectional or RNN over their cells",
        but=f"is {described(cell)}",
        remedy="Pass a recurrent layer, or a cell of one.",
    )


def require_own_call(layer: Any, library: ModuleType, names: Sequence[str]) -> None:
    """Raise an error for a subclass of one of these built-in classes that overrides its computation."""
    kinds = (getattr(library.layers, name, None) or getattr(library, name) for name in names)
    kind = next(kind for kind in kinds if isinstance(layer, kind))
    for method in ("__call__", "call", "inner_loop", "get_initial_state", "_get_noise_shape"):
        if method in vars(layer) or getattr(type(layer), method, None) is not getattr(kind, method, None):
            if kind.__name__ in _CELL_CLASSES:
                raise _custom_cell(layer, f"overrides {method}")
            raise refused(
                layer,
                f"run {kind.__name__}'s own {method}",
                "overrides it",
                f"Make a plain {kind.__name__} of its get_config() and get_weights(), pass that, and write in torch what its "
                "own code adds",
            )


def _custom_cell(cell: Any, but: str) -> GatewiseError:
    return refused(
        cell,
        f"be a built-in cell, {', '.join(_CELL_CLASSES)}",
        f"{but}: a custom cell, whose equations only its own code states",
        "Write its call in torch, run it over the time steps in a loop, and compare the results with those of the Keras "
        "layer, with numpy.testing.assert_allclose",
    )


def unequal(place: str, layer: Any) -> GatewiseError:
    """Return the error for a layer or cell that does not match the first one of its stack."""
    return NoCounterpartError.because(
        f"{place} of the stack",
        must="have the cell, size and directions of the first",
        but=f"belongs to {described(layer)}, which does not",
        remedy=f"No one torch module has such a stack. {ONE_BY_ONE}",
    )


def described(layer: Any) -> str:
    """Return the name of a layer's class, with its units if it has any."""
    units = getattr(layer, "units", None)
    return f"{type(layer).__name__}({units})" if isinstance(units, int) else type(layer).__name__


def refused(layer: Any, must: str, but: str, remedy: str) -> GatewiseError:
    """Return the error for a layer that does not meet a requirement."""
    return InvalidTypeError.because(described(layer), must=must, but=but, remedy=f"{remedy}.")
