"""The spec of a Keras layer, read from the attributes of its cells and the shapes of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from frameworks.activations import ACTIVATIONS, KERAS2_NAMES
from frameworks.cells import CELLS
from frameworks.errors import InvalidTypeError, InvalidValueError, NoCounterpartError
from frameworks.keras.activations import ADDED, OfFamily
from frameworks.keras.natives import ONE_BY_ONE, cell_name
from frameworks.keras.stacks import Structure
from frameworks.keras.tensors import dtype_of
from frameworks.spec import RecurrentSpec

RENAMED_ACTIVATIONS = {"tf_keras": KERAS2_NAMES}
"""The activations that have another name or meaning in a library than in Keras 3, by library."""


def read_spec(structure: Structure) -> RecurrentSpec:
    """Read the spec of the cells from their attributes and the shapes of their weights.

    Raises:
        GatewiseError: for an unbuilt layer, for mixed or half precision, and for cells that differ within one stack.
    """
    library = structure.library
    specs = [[_cell_spec(cell, library) for cell in directions] for directions in structure.cells]
    first = specs[0][0]
    for layer, directions in enumerate(specs):
        for direction, spec in enumerate(directions):
            expected = first.input_size if layer == 0 else len(directions) * first.hidden_size
            _require_equal(replace(first, input_size=expected), spec, f"layer {layer}, direction {direction}")
    for layer in structure.layers if structure.repeated_by is None else (structure.repeated_by, *structure.layers):
        for wrapper in wrappers_of(layer):
            _require_dtype(wrapper, first.dtype)
    _require_apart([cell for directions in structure.cells for cell in directions])
    return replace(first, num_layers=len(specs), bidirectional=len(specs[0]) == 2)


def require_whole(native: Any, structure: Structure, dtype: str) -> None:
    """Raise an error for unbuilt wrappers of built cells, and for inputs or Dropout layers whose dtype would round the data.

    The wrappers are not built here by a call: that would fix their batch and time sizes, and so change the user's model.

    Raises:
        GatewiseError: for such a wrapper, input or Dropout, with its name.
    """
    for part in native if isinstance(native, (list, tuple)) else getattr(native, "layers", ()):
        if isinstance(part, structure.library.layers.Dropout):
            _require_dtype(part, dtype)
    wrappers = [native] if isinstance(native, structure.library.Model) else list(structure.layers)
    for wrapper in wrappers:
        if not wrapper.built:
            raise InvalidValueError.because(
                f"{type(wrapper).__name__} {wrapper.name!r}",
                must="be built",
                but="is not, although its cells are",
                remedy="Call it once on data, or .build((None, None, input_size)); layers may also be passed as a list.",
            )
    for tensor in getattr(native, "inputs", None) or ():
        own = getattr(tensor.dtype, "name", tensor.dtype)
        if own != dtype:
            raise InvalidTypeError.because(
                f"the input of {type(native).__name__} {native.name!r}",
                must=f"have the dtype of its layers, {dtype}",
                but=f"has {own}, which rounds the data",
                remedy=f"Begin it with keras.Input((None, input_size), dtype={dtype!r}), or pass its layers as a list.",
            )


def wrappers_of(layer: Any) -> Iterator[Any]:
    """Yield a layer and everything inside it down to its cells, because each of them casts the data to its own dtype."""
    yield layer
    names = ("forward_layer", "backward_layer") if hasattr(layer, "forward_layer") else ("layer", "cell")
    for name in names:
        if hasattr(layer, name):
            yield from wrappers_of(getattr(layer, name))
    for cell in getattr(layer, "cells", ()):
        yield from wrappers_of(cell)


def _require_apart(cells: Sequence[Any]) -> None:
    if len({id(cell) for cell in cells}) != len(cells):
        raise InvalidValueError.because(
            f"{type(cells[0]).__name__} {cells[0].name!r}",
            must="occur once in a stack",
            but="occurs twice, with the same weights",
            remedy="Use gatewise.emulate, which shares the weights as Keras does, or one cell for each layer and direction.",
        )


def _cell_spec(cell: Any, library: ModuleType) -> RecurrentSpec:
    if not cell.built or getattr(cell, "kernel", None) is None:
        raise InvalidValueError.because(
            f"the {type(cell).__name__} of the layer",
            must="be built",
            but="has no weights yet",
            remedy="Call the layer once on data, or layer.build((None, None, input_size)).",
        )
    name = cell_name(cell, library)
    _require_dtype(cell, cell.variable_dtype)
    require_stored_dtype(cell, cell.kernel)
    return RecurrentSpec(
        cell=name,
        input_size=int(cell.kernel.shape[0]),
        hidden_size=int(cell.units),
        bias=bool(cell.use_bias),
        dtype=cell.variable_dtype,
        **{option: _option(option, cell, library) for option in CELLS[name].options},
    )


def _option(name: str, cell: Any, library: ModuleType) -> Any:
    value = getattr(cell, name)
    return _activation_name(value, cell, library) if callable(value) else bool(value)


def name_or_function(function: Callable[..., Any], library: ModuleType) -> str | Callable[..., Any]:
    """Return the name of a built-in activation; return any other function as it is."""
    if isinstance(function, OfFamily):
        return function.name
    renamed = RENAMED_ACTIVATIONS.get(library.__name__, {})
    for name in (*renamed, *ACTIVATIONS):
        if getattr(library.activations, name, ADDED.get(name)) is function:
            return renamed.get(name, name)
    return function


def _activation_name(function: Callable[..., Any], cell: Any, library: ModuleType) -> str:
    name = name_or_function(function, library)
    if isinstance(name, str):
        return name
    raise NoCounterpartError.because(
        f"the activation of {type(cell).__name__}",
        must=f"be one of {', '.join(ACTIVATIONS)}",
        but=f"is {getattr(function, '__name__', function)!r}",
        remedy="Write it with torch and pass that function, as in frameworks.emulation.pytorch.KerasLSTM(4, activation=...). "
        "Its weights are the state_dict of gatewise.emulate of the layer with a built-in activation. Compare the results with "
        "those of the Keras layer, with numpy.testing.assert_allclose.",
    )


def require_stored_dtype(layer: Any, weight: Any) -> None:
    """Raise an error for a layer whose backend stores its weights in a coarser dtype than the layer declares."""
    stored = dtype_of(weight)
    if stored != layer.variable_dtype:
        raise InvalidTypeError.because(
            f"the weights of {type(layer).__name__} {layer.name!r}",
            must=f"be stored in the layer's dtype {layer.variable_dtype}",
            but=f"are stored in {stored} by Keras's backend",
            remedy="JAX stores float64 only with JAX_ENABLE_X64=1 in the environment.",
        )


def _require_dtype(layer: Any, dtype: str) -> None:
    if dtype not in ("float32", "float64"):
        raise InvalidTypeError.because(
            f"{type(layer).__name__} {layer.name!r}",
            must="have dtype float32 or float64",
            but=f"has {dtype}",
            remedy="Half precision is not compared. Use gatewise.emulate, which computes in it as Keras does, or build the "
            "layer in float32 and give it the weights with set_weights.",
        )
    for own in (layer.variable_dtype, layer.compute_dtype):
        if own != dtype:
            raise InvalidTypeError.because(
                f"{type(layer).__name__} {layer.name!r}",
                must="have one dtype, float32 or float64, in wrapper and inner layer, for weights and arithmetic",
                but=f"has {own} where the weights have {dtype}",
                remedy=f"Pass dtype={dtype!r} to it and to the inner layer."
                if layer.variable_dtype == layer.compute_dtype
                else f"Use gatewise.emulate, which computes as Keras does, or build it with dtype={dtype!r}.",
            )


def _require_equal(expected: RecurrentSpec, actual: RecurrentSpec, place: str) -> None:
    for name, wanted in vars(expected).items():
        if getattr(actual, name) != wanted:
            raise NoCounterpartError.because(
                f"{name} of {place}",
                must=f"be {wanted!r} to match the first layer",
                but=f"is {getattr(actual, name)!r}",
                remedy=f"No one torch module has such a stack. {ONE_BY_ONE}",
            )
