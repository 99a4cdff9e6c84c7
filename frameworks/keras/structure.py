"""Reading the structure of a user's Keras object: its cells in the order in which they run, and its options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from frameworks.cells import CELLS
from frameworks.keras.contents import is_recurrent, refuse_whole
from frameworks.keras.natives import WITH_ONE, cell_name, cells_of, described, library_of, refused, require_own_call, unequal
from frameworks.keras.stacks import Structure, join, recurrent_among
from frameworks.options import KerasOptions
from frameworks.spec import Stack


def describe(native: Any) -> tuple[Stack, KerasOptions]:
    """Return the sizes and the options of a layer, built or not."""
    structure = take_apart(native)
    if structure.repeated_by is not None:
        raise refused(
            native,
            "be mapped by the layer inside it",
            "adds an axis of outer time steps",
            "Use gatewise.returns_map(layer.layer): in torch, call the module on x.flatten(0, 1), and give every result "
            "its outer time steps back with .unflatten(0, x.shape[:2])",
        )
    return structure.stack, structure.options


def parts(native: Any) -> Iterator[tuple[str, str, Any]]:
    """Yield the direction, cell and layer of each part that has one spec, see `frameworks.registry.parts_of`."""
    library = library_of(native)
    kinds = library.layers
    if isinstance(native, kinds.TimeDistributed):
        require_own_call(native, library, ("TimeDistributed",))
        yield from parts(native.layer)
    elif isinstance(native, kinds.Bidirectional):
        require_own_call(native, library, ("Bidirectional",))
        for direction in ("forward", "backward"):
            yield from ((direction, cell, part) for _, cell, part in parts(getattr(native, f"{direction}_layer")))
    elif isinstance(native, kinds.RNN) and cells_of(native, library)[1]:
        yield from (("", f"cell {index}", cell) for index, cell in enumerate(native.cell.cells))
    else:
        yield "", "", native


def take_apart(native: Any) -> Structure:
    """Return the structure of a layer, cell, list, Sequential or converted model.

    Raises:
        GatewiseError: for a layer that cannot be part of one recurrence, with its name.
    """
    library = library_of(native)
    kinds = library.layers
    if isinstance(native, (list, tuple, library.Sequential)):
        return _join(native, library)
    if isinstance(native, library.Model):
        return _open_model(native, library)
    if isinstance(native, kinds.TimeDistributed):
        require_own_call(native, library, ("TimeDistributed",))
        if not is_recurrent(native, library):
            raise refuse_whole(native, library) or refused(
                native, "repeat a recurrent layer", f"repeats {described(native.layer)}", WITH_ONE
            )
        return replace(take_apart(native.layer), repeated_by=native)
    if isinstance(native, kinds.Bidirectional):
        return _open_bidirectional(native, library)
    if isinstance(native, kinds.RNN):
        return _open_layer(native, library)
    cell_name(native, library)
    return Structure(library, ((native,),), (), KerasOptions(nesting="cell", **_dropouts([native])))


def _open_layer(layer: Any, library: ModuleType) -> Structure:
    cells, stacked = cells_of(layer, library)
    for index, cell in enumerate(cells):
        if cell.units != cells[0].units or cell_name(cell, library) != cell_name(cells[0], library):
            raise unequal(f"cell {index}", layer)
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
        raise refused(
            layer,
            "have two directions of the same kind and size",
            f"has {described(layer.forward_layer)} and {described(layer.backward_layer)}",
            "Use gatewise.emulate, which runs it as Keras does, or copy and compare one direction at a time: "
            "layer.forward_layer and layer.backward_layer",
        )
    dropouts = {
        name: max(getattr(each.options, name) for each in (forward, backward)) for name in ("dropout", "recurrent_dropout")
    }
    options = replace(forward.options, merge_mode=layer.merge_mode, **dropouts)
    cells = tuple((*ahead, *back) for ahead, back in zip(forward.cells, backward.cells, strict=True))
    return Structure(library, cells, (layer,), options)


def _join(native: Any, library: ModuleType) -> Structure:
    if isinstance(native, library.Sequential):
        require_own_call(native, library, ("Sequential",))
    parts = list(getattr(native, "layers", native))
    return join([take_apart(part) for part in recurrent_among(native, parts, library)], parts, library)


def _open_model(model: Any, library: ModuleType) -> Structure:
    """Return the structure of a functional model that returns the output and every state, as `convert` builds it."""
    parts = [layer for layer in model.layers if not isinstance(layer, library.layers.InputLayer)]
    whole = refuse_whole(model, library)
    if whole is None:
        raise refused(model, "have a recurrent layer", "has none", WITH_ONE)
    if not all(isinstance(part, (library.layers.RNN, library.layers.Bidirectional, library.layers.Dropout)) for part in parts):
        raise whole
    structure = join([take_apart(part) for part in recurrent_among(model, parts, library)], parts, library)
    if not _is_converted(model, parts, structure.layers):
        raise whole
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
    outputs = list(model.outputs)
    return len(outputs) == len(states) + 1 and all(a is b for a, b in zip(outputs, [tensors[0], *states], strict=True))


def _returns_all(layer: Any) -> bool:
    own = getattr(layer, "forward_layer", layer)
    return bool(own.return_sequences and own.return_state)


def _dropouts(cells: Sequence[Any]) -> dict[str, Any]:
    return {name: max(float(getattr(cell, name, 0) or 0) for cell in cells) for name in ("dropout", "recurrent_dropout")}
