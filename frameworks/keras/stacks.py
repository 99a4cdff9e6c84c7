"""The structure of a Keras object, and of a stack of several that are called one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from frameworks.errors import InvalidTypeError, NoCounterpartError
from frameworks.keras.contents import refuse_whole
from frameworks.keras.natives import ONE_BY_ONE, WITH_ONE, cell_name, described, refused, require_own_call, unequal
from frameworks.options import KerasOptions
from frameworks.spec import Stack


@dataclass(frozen=True)
class Structure:
    """The cells and layers of a Keras object, and its options.

    Args:
        library: the library that it belongs to, keras or tf_keras.
        cells: the native cells, `cells[layer][direction]`.
        layers: the native layers that are called one after the other; empty for a bare cell.
        options: how the layer is called and what it returns.
        dropout: the rate of the Dropout layers between layers.
        repeated_by: the TimeDistributed that calls the layer at every outer time step, or None.
    """

    library: ModuleType
    cells: tuple[tuple[Any, ...], ...]
    layers: tuple[Any, ...]
    options: KerasOptions
    dropout: float = 0.0
    repeated_by: Any = None

    @property
    def stack(self) -> Stack:
        """The part of a spec that is known before a layer is built."""
        first = self.cells[0][0]
        return Stack(cell_name(first, self.library), first.units, len(self.cells), len(self.cells[0]) == 2)


def recurrent_among(native: Any, parts: Sequence[Any], library: ModuleType) -> list[Any]:
    """Return the recurrent layers of a stack, which may otherwise contain only Dropout.

    Args:
        native: the model or the list that has the parts.
        parts: its layers.
        library: the library of the layers.

    Raises:
        GatewiseError: for any other layer, and if none is recurrent.
    """
    for index, part in enumerate(parts):
        if not isinstance(part, library.layers.Layer) or (hasattr(part, "state_size") and not hasattr(part, "cell")):
            raise InvalidTypeError.because(
                f"layer {index} of the list",
                must=f"be a layer of {library.__name__}, not a cell",
                but=f"is a {type(part).__module__}.{type(part).__qualname__}",
                remedy="Build all layers with one library, and wrap cells as keras.layers.RNN(cells).",
            )
    recurrent = [part for part in parts if not isinstance(part, library.layers.Dropout)]
    if not recurrent or not all(isinstance(part, (library.layers.RNN, library.layers.Bidirectional)) for part in recurrent):
        raise refuse_whole(native, library) or refused(native, "have a recurrent layer", "has none", WITH_ONE)
    return recurrent


def join(structures: Sequence[Structure], parts: Sequence[Any], library: ModuleType) -> Structure:
    """Join layers that are called one after the other into one structure.

    Args:
        structures: the structures of the recurrent layers.
        parts: the whole stack, with Dropout between all recurrent layers or nowhere.
        library: the library of all layers.

    Raises:
        GatewiseError: for a layer that cannot be part of one recurrence, with its name.
    """
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
    layers = tuple(layer for structure in structures for layer in structure.layers)
    return Structure(library, cells, layers, options, rate)


def _require_stackable(index: int, structure: Structure, structures: Sequence[Structure]) -> None:
    layer, options, last = structure.layers[0], structure.options, index == len(structures) - 1
    first = structures[0].stack
    same = (structure.stack.cell, structure.stack.hidden_size, structure.stack.bidirectional)
    if same != (first.cell, first.hidden_size, first.bidirectional):
        raise unequal(f"layer {index} ({layer.name})", layer)
    problems = {
        "one cell, not a list of them": options.nesting == "cells" and f"{len(structure.cells)} in a list",
        "go_backwards=False": options.go_backwards and "go_backwards=True: the next layer reads its reversed output",
        "return_sequences=True": not last and not options.return_sequences and "return_sequences=False",
        "merge_mode='concat'": not last
        and structure.stack.bidirectional
        and options.merge_mode != "concat"
        and f"merge_mode={options.merge_mode!r}",
    }
    for wanted, problem in problems.items():
        if problem:
            raise NoCounterpartError.because(
                f"layer {index} ({layer.name}) of the stack",
                must=f"have {wanted}",
                but=f"has {problem}",
                remedy=f"No one torch module runs such a stack. {ONE_BY_ONE}",
            )


def _dropout_between(parts: Sequence[Any], library: ModuleType) -> float:
    """Return the common rate of the Dropout layers, which must be between all recurrent layers or nowhere."""
    kinds = [isinstance(part, library.layers.Dropout) for part in parts]
    if not any(kinds):
        return 0.0
    dropouts = [part for part in parts if isinstance(part, library.layers.Dropout)]
    for dropout in dropouts:
        require_own_call(dropout, library, ("Dropout",))
    alternating = kinds == [index % 2 == 1 for index in range(len(kinds))] and len(kinds) % 2 == 1
    rates = {dropout.rate for dropout in dropouts}
    shaped = any(dropout.noise_shape is not None for dropout in dropouts)
    if not alternating or len(rates) != 1 or shaped:
        raise NoCounterpartError.because(
            "Dropout in a stack",
            must="be between all layers but not after the last, with one rate and without noise_shape, as in torch",
            but=f"the stack is {', '.join(described(part) for part in parts)}",
            remedy="Pass the recurrent layers one at a time, and write the Dropout between them in torch: with noise_shape, "
            "the same values are dropped along the axes of size 1."
            if shaped
            else "Use gatewise.emulate, which runs it as Keras does, or pass the recurrent layers one at a time and call "
            "nn.Dropout between them.",
        )
    return float(rates.pop())
