"""Layers of one framework that behave exactly as the other's; each module is named for the framework it is written in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidValueError

_PORTING = {"pytorch": "frameworks.keras_in_torch.layers.porting", "keras": "frameworks.torch_in_keras.layers.porting"}


def emulate(native: Any, to: str = "pytorch") -> Any:
    """Build a layer of the other framework that behaves exactly as this one, with the same weights.

    Args:
        native: a layer of either framework, or one in a file.
        to: "pytorch" or "keras", the framework of the result; the layer must be of the other one.

    Returns:
        For "pytorch" a torch.nn.Module with Keras's call, `(inputs, initial_state=None, mask=None, training=None)`, and Keras's
        results. For "keras" a Keras layer with torch's call, `(inputs, hx=None, lengths=None)`, and torch's results,
        `(output, h_n)` or `(output, (h_n, c_n))`.

    Raises:
        GatewiseError: for what has no emulation, by name.

    Example:
        >>> import keras, torch
        >>> from frameworks import emulate
        >>> layer = keras.layers.GRU(4, go_backwards=True)
        >>> layer.build((None, None, 3))
        >>> module = emulate(layer, to="pytorch")
        >>> module(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 4])
    """
    if callable(getattr(native, "emulate", None)) and not isinstance(native, type):
        return native.emulate(to)  # a layer in a file, see frameworks.files
    registry.load(to)
    owner = registry.owner_name(native)
    if owner == to:
        raise InvalidValueError.because(
            "the layer to emulate", must=f"be of another framework than {to!r}", but="is of the same", remedy="Use it as it is."
        )
    registry.load(owner)
    return import_module(_PORTING[to]).emulate(native)
