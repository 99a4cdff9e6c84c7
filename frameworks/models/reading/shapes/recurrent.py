"""Shapes after recurrent layers, and layers around another layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from frameworks.cells import CELLS, cells_by_name
from frameworks.files.stored import StoredLayer
from frameworks.kinds import kind_of, options_of
from frameworks.models.graph import Layer, Shape
from frameworks.models.reading.shapes.seen import ContradictionError, Known, Seen, UnknownShapeError, number
from frameworks.models.reading.shapes.windows import joined, moved, split


def recurrent(seen: Seen) -> Sequence[Shape | None]:
    """Return the shape of the outputs or of the last one, then those of the states."""
    if seen.kind.window:
        return _convolutional(seen)
    shape, options = seen.shapes[0], seen.options
    if shape is not None and len(shape) < 3:
        raise ContradictionError("have 3 axes: batch, time and features")
    if options.get("time_major") and shape is not None:
        shape = (shape[1], shape[0], *shape[2:])
    stored = seen.layer.stored
    if shape is not None and isinstance(stored, StoredLayer):
        seen.require_size(-1, stored.cells[0][0].spec.input_size, "features, as its kernel has")
    batch, steps = (None, None) if shape is None else shape[:2]
    widths = list(_states(seen.layer.kind, seen.options))
    _check_states(seen, widths)
    lead = (steps, batch) if options.get("time_major") else (batch, steps)
    output = (*lead, widths[-1][0]) if options["return_sequences"] else (batch, widths[-1][0])
    states = [(batch, width) for cell in widths for width in cell] if options["return_state"] else []
    return (output, *states)


def _states(class_name: str, options: Mapping[str, Any]) -> Iterator[list[int]]:
    """Yield the widths of the states of each cell; the first is that of its output."""
    cells = options.get("cell", options.get("cells"))
    if cells is None:
        cell = cells_by_name("keras")[class_name.removeprefix("CuDNN").removesuffix("Cell")]
        yield [number(options["units"])] * len(CELLS[cell].states)
        return
    for cell in cells if isinstance(cells, (list, tuple)) else [cells]:
        name, config = (cell.get("class_name"), cell.get("config")) if isinstance(cell, Mapping) else ("", None)
        if not isinstance(config, Mapping) or kind_of(str(name)).shape != "cell":
            raise UnknownShapeError
        yield from _states(str(name), options_of(str(name), config))


def _check_states(seen: Seen, cells: Sequence[Sequence[int]]) -> None:
    """Raise an error for initial states of other widths than those of the cells."""
    given = seen.values[1].get("initial_state")
    tensors = [each for each in given if isinstance(each, Known)] if isinstance(given, (list, tuple)) else [given]
    widths = [width for cell in cells for width in cell]
    for state, width in zip(tensors, widths, strict=False):
        if isinstance(state, Known) and state.shape and state.shape[-1] not in (None, width):
            raise ContradictionError(f"have {width} features in each state, as its units are")


def _convolutional(seen: Seen) -> Sequence[Shape]:
    options = seen.options
    sizes, _, first = split(seen, lead=2)
    sizes = moved(sizes, options["kernel_size"], options["strides"], options["padding"], options["dilation_rate"])
    batch, filters = seen.first[:1], number(options["filters"])
    state = joined(batch, sizes, filters, first=first)
    output = joined(seen.first[:2], sizes, filters, first=first) if options["return_sequences"] else state
    return (output, *((state, state) if options["return_state"] else ()))


def bidirectional(seen: Seen) -> Sequence[Shape | None]:
    """Return the shapes of both directions, merged, then those of their states."""
    options = seen.options
    halves = [_half(seen, options["layer"]), _half(seen, options["backward_layer"] or options["layer"])]
    (forward, *states), (backward, *further) = halves
    if forward is None or backward is None:
        raise UnknownShapeError
    mode = options["merge_mode"]
    if mode is None:
        return (forward, backward, *states, *further)
    if mode == "concat":
        last = None if forward[-1] is None or backward[-1] is None else forward[-1] + backward[-1]
        return ((*forward[:-1], last), *states, *further)
    return (forward, *states, *further)


def _half(seen: Seen, entry: Any) -> Sequence[Shape | None]:
    """Return the shapes that one direction returns."""
    config = entry.get("config") if isinstance(entry, Mapping) else None
    if not isinstance(config, Mapping):
        raise UnknownShapeError
    inner = Layer(seen.layer.name, str(entry.get("class_name")), config, _of_one_direction(seen.layer))
    return seen.within(inner, seen.shapes[:1])


def _of_one_direction(layer: Layer) -> StoredLayer | None:
    return layer.stored if isinstance(layer.stored, StoredLayer) else None


def time_distributed(seen: Seen) -> Sequence[Shape | None]:
    """Return the shape of what the inner layer returns at each step."""
    shape, inner = seen.first, seen.layer.inner
    if inner is None or len(shape) < 3:
        raise UnknownShapeError
    results = seen.within(inner, [(shape[0], *shape[2:])])
    return [None if each is None else (shape[0], shape[1], *each[1:]) for each in results]
