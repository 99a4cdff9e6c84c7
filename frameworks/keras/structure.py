"""What a user's Keras object is: which cells it runs in which order, and what its flags make of their results."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from types import ModuleType
from typing import Any

from frameworks.cells import CELLS, CellName, cells_by_name
from frameworks.errors import GatewiseError, InvalidTypeError, NoCounterpartError
from frameworks.options import KerasOptions
from frameworks.spec import Stack

_CELL_CLASSES = cells_by_name("keras", "Cell")


@dataclass(frozen=True)
class Structure:
    """A Keras object taken apart.

    Args:
        library: the keras or tf_keras that it belongs to.
        cells: `cells[layer][direction]`, the native cells.
        layers: the native layers that are called one after the other; empty for a bare cell.
        options: what the call returns.
        dropout: the rate of the Dropout layers between layers.
    """

    library: ModuleType
    cells: tuple[tuple[Any, ...], ...]
    layers: tuple[Any, ...]
    options: KerasOptions
    dropout: float = 0.0

    @property
    def stack(self) -> Stack:
        """What shows before a layer is built."""
        first = self.cells[0][0]
        return Stack(cell_name(first, self.library), first.units, len(self.cells), len(self.cells[0]) == 2)


def describe(native: Any) -> tuple[Stack, KerasOptions]:
    """Tell what a layer returns, built or not."""
    structure = take_apart(native)
    return structure.stack, structure.options


def parts(native: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield direction, cell and layer of each part that one spec describes, see `frameworks.registry.parts_of`."""
    library = library_of(native)
    kinds = library.layers
    if isinstance(native, kinds.Bidirectional):
        require_own_call(native, library, ("Bidirectional",))
        for direction in ("forward", "backward"):
            yield from ((direction, cell, part) for _, cell, part in parts(getattr(native, f"{direction}_layer")))
    elif isinstance(native, kinds.RNN) and cells_of(native, library)[1]:
        yield from (("", f"cell {index}", cell) for index, cell in enumerate(native.cell.cells))
    else:
        yield "", "", native


def take_apart(native: Any) -> Structure:
    """Take a layer, cell, list, Sequential or converted model apart.

    Raises:
        GatewiseError: naming the layer that cannot be part of one recurrence.
    """
    library = library_of(native)
    kinds = library.layers
    if isinstance(native, (list, tuple)):
        return _join(list(native), library)
    if isinstance(native, library.Sequential):
        require_own_call(native, library, ("Sequential",))
        return _join(list(native.layers), library)
    if isinstance(native, library.Model):
        return _open_model(native, library)
    if isinstance(native, kinds.Bidirectional):
        return _open_bidirectional(native, library)
    if isinstance(native, kinds.RNN):
        return _open_layer(native, library)
    if isinstance(native, kinds.StackedRNNCells):
        raise _refused(native, "be wrapped", "is bare", "Wrap it as keras.layers.RNN(cells)")
    cell_name(native, library)
    return Structure(library, ((native,),), (), KerasOptions(nesting="cell", **_dropouts([native])))


def library_of(native: Any) -> ModuleType:
    """Give the keras or tf_keras that a layer, or the first of a list of layers, belongs to."""
    first = native[0] if isinstance(native, (list, tuple)) else native
    roots = {base.__module__.partition(".")[0] for base in type(first).__mro__}
    return sys.modules["tf_keras"] if "tf_keras" in roots else import_module("keras")


def cells_of(layer: Any, library: ModuleType) -> tuple[list[Any], bool]:
    """Give the cells that a layer runs in turn, and whether they are stacked in a list, be it of one.

    Raises:
        GatewiseError: for a custom cell, a layer that overrides the built-in's call, or one that is not batch-major.
    """
    if getattr(layer, "time_major", False):
        raise _refused(layer, "be batch-major", "has time_major=True", "Transpose its inputs and outputs and build it without")
    stacked = isinstance(layer.cell, library.layers.StackedRNNCells)
    if stacked:
        require_own_call(layer.cell, library, ("StackedRNNCells",))
        if getattr(layer.cell, "reverse_state_order", False):
            raise _refused(
                layer.cell, "keep states in the order of its cells", "has reverse_state_order=True", "Build it without"
            )
    cells = list(layer.cell.cells) if stacked else [layer.cell]
    if not cells:
        raise _refused(layer, "run at least one cell", "runs none", "Give it the cells")
    for cell in cells:
        cell_name(cell, library)
    require_own_call(layer, library, (*cells_by_name("keras"), "RNN"))
    return cells, stacked


def _open_layer(layer: Any, library: ModuleType) -> Structure:
    cells, stacked = cells_of(layer, library)
    for index, cell in enumerate(cells):
        if cell.units != cells[0].units or cell_name(cell, library) != cell_name(cells[0], library):
            raise _unequal(f"cell {index}", layer)
    one_state = len(CELLS[cell_name(cells[0], library)].states) == 1
    options = KerasOptions(
        return_sequences=bool(layer.return_sequences),
        return_state=bool(layer.return_state),
        go_backwards=bool(layer.go_backwards),
        stateful=bool(layer.stateful),
        zero_output_for_mask=bool(getattr(layer, "zero_output_for_mask", False)),
        nesting="cells" if stacked else "layers",
        bare_states=stacked and library.__name__ == "tf_keras" and one_state,
        **_dropouts(cells),
    )
    return Structure(library, tuple((cell,) for cell in cells), (layer,), options)


def _open_bidirectional(layer: Any, library: ModuleType) -> Structure:
    require_own_call(layer, library, ("Bidirectional",))
    forward, backward = take_apart(layer.forward_layer), take_apart(layer.backward_layer)
    if (forward.stack, forward.options.nesting) != (backward.stack, backward.options.nesting):
        raise _refused(
            layer,
            "have two directions of one kind and size",
            f"has {_described(layer.forward_layer)} and {_described(layer.backward_layer)}",
            "Copy and compare one direction at a time: adapt(layer.forward_layer), adapt(layer.backward_layer)",
        )
    dropouts = {
        name: max(getattr(each.options, name) for each in (forward, backward)) for name in ("dropout", "recurrent_dropout")
    }
    options = replace(forward.options, merge_mode=layer.merge_mode, **dropouts)
    cells = tuple((*ahead, *back) for ahead, back in zip(forward.cells, backward.cells, strict=True))
    return Structure(library, cells, (layer,), options)


def _join(parts: list[Any], library: ModuleType) -> Structure:
    """Join layers that are called one after the other, with Dropout between them or not at all."""
    recurrent = [part for part in parts if not isinstance(part, library.layers.Dropout)]
    if not recurrent:
        raise _refused(parts, "hold a recurrent layer", "holds none", "Pass the recurrent layers")
    structures = []
    for part in recurrent:
        if not isinstance(part, (library.layers.RNN, library.layers.Bidirectional)):
            raise _refused(
                part,
                f"be a recurrent layer of {library.__name__} to be part of one stack",
                f"is a {type(part).__module__}.{type(part).__qualname__}, layer {parts.index(part)} of it",
                "Pass the recurrent layers alone, as a list",
            )
        structures.append(take_apart(part))
    rate = _dropout_between(parts, library)
    if len(structures) == 1:
        return replace(structures[0], dropout=rate)
    for index, structure in enumerate(structures):
        _require_stackable(index, structure, structures)
    options = replace(
        structures[-1].options,
        stateful=any(structure.options.stateful for structure in structures),
        dropout=max(structure.options.dropout for structure in structures),
        recurrent_dropout=max(structure.options.recurrent_dropout for structure in structures),
        nesting="layers",
    )
    cells = tuple(directions for structure in structures for directions in structure.cells)
    return Structure(library, cells, tuple(recurrent), options, rate)


def _require_stackable(index: int, structure: Structure, structures: Sequence[Structure]) -> None:
    layer, options, last = structure.layers[0], structure.options, index == len(structures) - 1
    first = structures[0].stack
    same = (structure.stack.cell, structure.stack.hidden_size, structure.stack.bidirectional)
    if same != (first.cell, first.hidden_size, first.bidirectional):
        raise _unequal(f"layer {index} ({layer.name})", layer)
    problems = {
        "one cell, not a list of them": options.nesting == "cells" and f"{len(structure.cells)} in a list",
        "go_backwards=False": options.go_backwards and "go_backwards=True: the next layer reads its reversed output",
        "return_sequences=True": not last and not options.return_sequences and "return_sequences=False",
        "merge_mode='concat'": not last
        and structure.stack.bidirectional
        and options.merge_mode != "concat"
        and f"merge_mode={options.merge_mode!r}",
    }
    for wanted, found in problems.items():
        if found:
            raise NoCounterpartError.because(
                f"layer {index} ({layer.name}) of the stack",
                must=f"have {wanted}",
                but=f"has {found}",
                remedy="No one torch module runs such a stack: adapt and convert its layers one at a time.",
            )


def _dropout_between(parts: Sequence[Any], library: ModuleType) -> float:
    """Give the one rate of the Dropout layers, which must stand between all recurrent layers or nowhere."""
    kinds = [isinstance(part, library.layers.Dropout) for part in parts]
    if not any(kinds):
        return 0.0
    dropouts = [part for part in parts if isinstance(part, library.layers.Dropout)]
    for dropout in dropouts:
        require_own_call(dropout, library, ("Dropout",))
    alternating = kinds == [index % 2 == 1 for index in range(len(kinds))] and len(kinds) % 2 == 1
    rates = {dropout.rate for dropout in dropouts}
    if not alternating or len(rates) != 1 or any(dropout.noise_shape is not None for dropout in dropouts):
        raise NoCounterpartError.because(
            "Dropout in a stack",
            must="stand between all layers, after none, at one rate and without noise_shape, as torch's does",
            but=f"the stack is {', '.join(_described(part) for part in parts)}",
            remedy="Take the Dropout layers out of the stack and carry them over as layers of their own.",
        )
    return float(rates.pop())


def _open_model(model: Any, library: ModuleType) -> Structure:
    """Take apart a functional model that returns the output and every state, as `convert` builds it."""
    parts = [layer for layer in model.layers if not isinstance(layer, library.layers.InputLayer)]
    structure = _join(parts, library) if parts else None
    if structure is None or not _is_converted(model, parts, structure.layers):
        raise _refused(
            model,
            "be a Sequential, or the functional model that convert builds",
            "is another model",
            "Pass its recurrent layers as a list, such as [layer for layer in model.layers if ...]",
        )
    return replace(structure, options=replace(structure.options, nesting="model"))


def _is_converted(model: Any, parts: Sequence[Any], recurrent: Sequence[Any]) -> bool:
    try:
        tensors, flow = list(model.inputs), [(part.input, part.output) for part in parts]
    except (AttributeError, ValueError):
        return False
    if not all(_returns_all(part) for part in recurrent):
        return False
    states: list[Any] = []
    for part, (given, returned) in zip(parts, flow, strict=True):
        if given is not tensors[0]:
            return False
        tensors = list(returned) if isinstance(returned, (list, tuple)) else [returned]
        if part in recurrent:
            states.extend(tensors[1:])
    found = list(model.outputs)
    return len(found) == len(states) + 1 and all(a is b for a, b in zip(found, [tensors[0], *states], strict=True))


def _returns_all(layer: Any) -> bool:
    own = getattr(layer, "forward_layer", layer)
    return bool(own.return_sequences and own.return_state)


def cell_name(cell: Any, library: ModuleType) -> CellName:
    """Tell which of the built-in cells this is.

    Raises:
        GatewiseError: for a custom cell, or one that overrides the built-in's call.
    """
    for name, short in _CELL_CLASSES.items():
        if isinstance(cell, getattr(library.layers, name)):
            require_own_call(cell, library, (name,))
            return short
    raise InvalidTypeError.because(
        "the layer",
        must="be SimpleRNN, LSTM, GRU, Bidirectional or RNN over their cells",
        but=f"is {_described(cell)}",
        remedy="Pass the recurrent layer itself; a custom cell has no counterpart to build.",
    )


def require_own_call(layer: Any, library: ModuleType, names: Sequence[str]) -> None:
    """Refuse a subclass of one of these built-in kinds that computes something of its own."""
    kinds = (getattr(library.layers, name, None) or getattr(library, name) for name in names)
    kind = next(kind for kind in kinds if isinstance(layer, kind))
    for method in ("__call__", "call", "inner_loop", "get_initial_state", "_get_noise_shape"):
        if method in vars(layer) or getattr(type(layer), method, None) is not getattr(kind, method, None):
            raise _refused(layer, f"run {kind.__name__}'s own {method}", "overrides it", f"Pass a plain {kind.__name__}")


def _dropouts(cells: Sequence[Any]) -> dict[str, Any]:
    return {name: max(float(getattr(cell, name, 0) or 0) for cell in cells) for name in ("dropout", "recurrent_dropout")}


def _unequal(place: str, layer: Any) -> GatewiseError:
    return NoCounterpartError.because(
        f"{place} of the stack",
        must="have the cell, size and directions of the first",
        but=f"belongs to {_described(layer)}, which does not",
        remedy="No one torch module holds such a stack: adapt and convert its layers one at a time.",
    )


def _described(layer: Any) -> str:
    units = getattr(layer, "units", None)
    return f"{type(layer).__name__}({units})" if isinstance(units, int) else type(layer).__name__


def _refused(layer: Any, must: str, but: str, remedy: str) -> GatewiseError:
    return InvalidTypeError.because(_described(layer), must=must, but=but, remedy=f"{remedy}.")
