"""Layers of one framework that behave as the other's do; each module is named for the framework that it is written in."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks import registry
from frameworks.errors import InvalidValueError

_PORTING = {"pytorch": "frameworks.keras_in_torch.layers.porting", "keras": "frameworks.torch_in_keras.layers.porting"}


def emulate(native: Any, to: str = "pytorch") -> Any:
    """Build a layer of the other framework that behaves as this one does, exactly, with its weights.

    Args:
        native: a layer of the other framework, or one in a file.
        to: "pytorch" or "keras", the framework of the result.

    Returns:
        For "pytorch" a torch.nn.Module, called as Keras's layer: `(inputs, initial_state=None, mask=None, training=None)`,
        returning what Keras returns. For "keras" a Keras layer, called as torch's: `(inputs, hx=None, lengths=None)`, returning
        `(output, h_n)` or `(output, (h_n, c_n))`.

    Raises:
        GatewiseError: for what has no emulation, by name.
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
