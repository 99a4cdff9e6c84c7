"""Stored layers built in Keras 3; those from torch files are called like torch modules."""

from __future__ import annotations

from typing import Any

import keras

from frameworks.counterparts import LAYER_NAMES
from frameworks.errors import InvalidValueError
from frameworks.files.building.parameters import fits_torch_module, torch_arguments, torch_arrays
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.files.writing.naming import plain_name
from frameworks.keras.activations import ADDED
from frameworks.keras.adapter import adapt
from frameworks.keras.building import untouched_random
from frameworks.keras.natives import cells_of
from frameworks.torch_in_keras.layers.onnx import OnnxRecurrent
from frameworks.torch_in_keras.layers.porting import CELL_CLASSES, LAYER_CLASSES


def emulate(stored: StoredLayer) -> Any:
    """Build a Keras layer that behaves like the stored one.

    Raises:
        GatewiseError: for a layer that Keras cannot build.
    """
    if stored.origin == "pytorch" or stored.options is None:
        return _build_torch(stored)
    with untouched_random():
        return _build(stored, stored.options.nesting)


def _build_torch(stored: StoredLayer) -> Any:
    """Build a layer that is called like a torch module."""
    spec, own = stored.cells[0][0].spec, fits_torch_module(stored)
    sizes: dict[str, Any] = {
        "input_size": spec.input_size,
        "hidden_size": spec.hidden_size,
        "bias": spec.bias,
        "dtype": spec.dtype,
    }
    with untouched_random():
        layer = _torch_layer(stored, sizes) if own else _onnx_layer(stored, sizes)
        layer.build()
    for name, array in torch_arrays(stored):
        getattr(layer, name).assign(array)
    return layer


def _torch_layer(stored: StoredLayer, sizes: dict[str, Any]) -> Any:
    spec = stored.cells[0][0].spec
    arguments = {**sizes, **torch_arguments(stored)}
    if spec.record.takes_nonlinearity:
        arguments["nonlinearity"] = spec.activation
    if stored.is_cell:
        return CELL_CLASSES[spec.cell](**arguments)
    return LAYER_CLASSES[spec.cell](num_layers=len(stored.cells), bidirectional=len(stored.cells[0]) == 2, **arguments)


def _onnx_layer(stored: StoredLayer, sizes: dict[str, Any]) -> Any:
    (cells,) = stored.cells
    names = ("activation", "recurrent_activation")
    return OnnxRecurrent(
        cells[0].spec.cell,
        **sizes,
        batch_first=torch_arguments(stored)["batch_first"],
        bidirectional=len(cells) == 2,
        go_backwards=stored.reads_backwards,
        activations=[{name: getattr(cell.spec, name) for name in names} for cell in cells],
        reset_after=cells[0].spec.reset_after,
    )


def _build(stored: StoredLayer, nesting: str) -> Any:
    options: Any = stored.options
    if nesting == "cell":
        return _bare_cell(stored.cells[0][0])
    if nesting not in ("layers", "cells") or (nesting == "layers" and len(stored.cells) > 1):
        raise InvalidValueError.because(
            stored.name,
            must="be one layer",
            but=f"is {len(stored.cells)} layers",
            remedy="Build them one at a time, from .parts.",
        )
    if options.stateful:
        raise InvalidValueError.because(
            f"stateful of {stored.name}",
            must="be False in a Keras layer built without a batch size",
            but="is True",
            remedy="Pass the option stateful=False, and pass the states from call to call.",
        )
    backward = (options.go_backwards, not options.go_backwards)
    columns = [[row[direction] for row in stored.cells] for direction in range(len(stored.cells[0]))]
    layers = [_one_direction(cells, options, backward=reads) for cells, reads in zip(columns, backward, strict=False)]
    first = stored.cells[0][0].spec
    name = plain_name(stored.name) or None
    layer = layers[0]
    if len(layers) == 2:
        layer = keras.layers.Bidirectional(
            layers[0], merge_mode=options.merge_mode, backward_layer=layers[1], dtype=first.dtype, name=name
        )
    layer.build((None, None, first.input_size))
    parts = (layer.forward_layer, layer.backward_layer) if len(layers) == 2 else (layer,)
    for part, cells in zip(parts, columns, strict=True):
        for native, cell in zip(cells_of(part, keras)[0], cells, strict=True):
            adapt(native).write(0, 0, cell.read())
    return layer


def _one_direction(cells: list[StoredCell], options: Any, *, backward: bool) -> Any:
    flags = {name: getattr(options, name) for name in ("return_sequences", "return_state", "stateful", "zero_output_for_mask")}
    flags["go_backwards"] = backward
    if options.nesting == "cells":
        return keras.layers.RNN([_kind(cell, "Cell")(**_arguments(cell)) for cell in cells], dtype=cells[0].spec.dtype, **flags)
    return _kind(cells[0], "")(**_arguments(cells[0]), **flags)


def _bare_cell(cell: StoredCell) -> Any:
    native = _kind(cell, "Cell")(**_arguments(cell))
    native.build((None, cell.spec.input_size))
    adapt(native).write(0, 0, cell.read())
    return native


def _kind(cell: StoredCell, end: str) -> Any:
    return getattr(keras.layers, f"{LAYER_NAMES['keras'][cell.spec.cell]}{end}")


def _arguments(cell: StoredCell) -> dict[str, Any]:
    spec = cell.spec
    return {
        "units": spec.hidden_size,
        "use_bias": spec.bias,
        "dropout": cell.dropout,
        "recurrent_dropout": cell.recurrent_dropout,
        "recurrent_initializer": "zeros",
        "dtype": spec.dtype,
        **{name: ADDED.get(value, value) for name, value in spec.cell_options.items()},
    }
