"""The code that builds the built-in counterpart of a stored layer, to be shown to the user."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from frameworks.counterparts import LAYER_NAMES
from frameworks.files.stored import StoredLayer
from frameworks.spec import RecurrentSpec


def in_pytorch(layer: StoredLayer) -> str:
    """Return the code of the torch module that holds a layer, as `nn.LSTM(3, 4, batch_first=True)`.

    A Keras layer has the batch axis first. A torch module has what its file states.
    """
    first, given = layer.cells[0][0].spec, layer.arguments
    unusual: list[tuple[str, Any, Any]] = [
        ("num_layers", len(layer.cells), 1),
        ("bias", first.bias, True),
        ("nonlinearity", first.activation, "tanh"),
        ("dropout", layer.dropout, 0.0),
        ("bidirectional", len(layer.cells[0]) == 2, False),
        ("proj_size", given.get("proj_size", 0), 0),
        ("batch_first", (layer.origin == "keras" or given.get("batch_first") is True) and not layer.is_cell, False),
    ]
    arguments = [str(first.input_size), str(first.hidden_size), *_unlike_defaults(unusual)]
    if first.dtype != "float32":
        arguments.append(f"dtype=torch.{first.dtype}")
    return f"{LAYER_NAMES['pytorch'][first.cell]}{'Cell' if layer.is_cell else ''}({', '.join(arguments)})"


def in_keras(layer: StoredLayer) -> str:
    """Return the code of the Keras layer, or of the model of several, that holds a layer: `Bidirectional(LSTM(4, ...))`."""
    spec = layer.spec
    plain = RecurrentSpec(spec.cell, spec.input_size, spec.hidden_size)
    dtype = _unlike_defaults([("dtype", spec.dtype, plain.dtype)])
    unusual = [(name, value, getattr(plain, name)) for name, value in spec.cell_options.items()]
    arguments = [str(spec.hidden_size), *_unlike_defaults([*unusual, ("use_bias", spec.bias, True)]), *dtype]
    name = LAYER_NAMES["keras"][spec.cell]
    if layer.is_cell:
        return f"{name}Cell({', '.join(arguments)})"
    arguments.append("return_sequences=True")
    if spec.num_layers == 1:
        arguments.append("return_state=True")
    code = f"{name}({', '.join(arguments)})"
    if spec.bidirectional:
        code = f"Bidirectional({', '.join([code, *dtype])})"
    return code if spec.num_layers == 1 else f"Sequential([{code} for _ in range({spec.num_layers})])"


def _unlike_defaults(arguments: Iterable[tuple[str, Any, Any]]) -> list[str]:
    """Return the code of the arguments whose value is not the default, from names, values and defaults."""
    return [f"{name}={value!r}" for name, value, default in arguments if value != default]
