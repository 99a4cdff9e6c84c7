"""Stored layers built in torch; those from Keras files are called like Keras layers, the others like torch modules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from frameworks.counterparts import LAYER_NAMES
from frameworks.errors import InvalidValueError
from frameworks.files.building.parameters import fits_torch_module, torch_arguments, torch_arrays
from frameworks.files.stored import StoredCell, StoredLayer
from frameworks.keras_in_torch.layers import KerasBidirectional, KerasRNN, adapt
from frameworks.keras_in_torch.layers.cell_modules import CELL_MODULES, KerasCell
from frameworks.keras_in_torch.layers.onnx import OnnxRecurrent
from frameworks.options import BACKWARDS, WHOLE


def emulate(stored: StoredLayer) -> nn.Module:
    """Build a module, in eval mode, that behaves like the stored layer.

    Raises:
        GatewiseError: for a layer that Keras cannot build.
    """
    with torch.random.fork_rng(
        devices=[]
    ):  # the initial weights are overwritten, so they must not use up the caller's random numbers
        if stored.origin == "keras" and stored.options is not None:
            return _build(stored).eval()
        return (_build_own(stored) if fits_torch_module(stored) else _build_onnx(stored)).eval()


def _build_own(stored: StoredLayer) -> nn.Module:
    """Build the built-in torch module with the file's arguments."""
    spec = stored.cells[0][0].spec
    arguments = torch_arguments(stored)
    if spec.record.takes_nonlinearity:
        arguments["nonlinearity"] = spec.activation
    if not stored.is_cell:
        arguments |= {"num_layers": len(stored.cells), "bidirectional": len(stored.cells[0]) == 2}
    kind = getattr(nn, f"{LAYER_NAMES['pytorch'][spec.cell].removeprefix('nn.')}{'Cell' if stored.is_cell else ''}")
    module: nn.Module = kind(spec.input_size, spec.hidden_size, bias=spec.bias, dtype=getattr(torch, spec.dtype), **arguments)
    for name, array in torch_arrays(stored):
        with torch.no_grad():
            getattr(module, name).copy_(torch.from_numpy(array))
    return module


def _build_onnx(stored: StoredLayer) -> nn.Module:
    """Build Keras cells that are called like a torch module."""
    options = BACKWARDS if stored.reads_backwards else WHOLE
    layer: Any = _build(replace(stored, options=options))
    return OnnxRecurrent(layer, batch_first=torch_arguments(stored)["batch_first"])


def _build(stored: StoredLayer) -> nn.Module:
    options: Any = stored.options
    columns = [[_cell(row[direction]) for row in stored.cells] for direction in range(len(stored.cells[0]))]
    if options.nesting == "cell":
        return columns[0][0]
    if options.nesting not in ("layers", "cells") or (options.nesting == "layers" and len(stored.cells) > 1):
        raise InvalidValueError.because(
            stored.name,
            must="be one layer",
            but=f"is {len(stored.cells)} layers",
            remedy="Build them one at a time, from .parts.",
        )
    flags = {name: getattr(options, name) for name in ("return_sequences", "return_state", "stateful", "zero_output_for_mask")}
    backward = (options.go_backwards, not options.go_backwards)
    layers = [
        KerasRNN(cells if options.nesting == "cells" else cells[0], go_backwards=reads, **flags)
        for cells, reads in zip(columns, backward, strict=False)
    ]
    if len(layers) == 1:
        return layers[0]
    return KerasBidirectional(layers[0], options.merge_mode, backward_layer=layers[1])


def _cell(stored: StoredCell) -> KerasCell:
    spec = stored.spec
    cell = CELL_MODULES[spec.cell](
        spec.hidden_size,
        input_size=spec.input_size,
        use_bias=spec.bias,
        dropout=stored.dropout,
        recurrent_dropout=stored.recurrent_dropout,
        dtype=spec.dtype,
        recurrent_initializer="zeros",
        **spec.cell_options,
    )
    adapt(cell).write(0, 0, stored.read())
    return cell
