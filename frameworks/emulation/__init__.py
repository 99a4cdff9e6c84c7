"""Layers of one framework that behave as the other's do; each module is named for the framework that it is written in."""

from __future__ import annotations

from typing import Any

from frameworks import registry
from frameworks.adapter import is_adapter
from frameworks.errors import InvalidValueError
from frameworks.rows import FrameworkName, row_of


def emulate(native: Any, to: FrameworkName = "pytorch") -> Any:
    """Build a layer of the other framework that behaves as this one does, exactly, with its weights.

    Args:
        native: a layer of the other framework, its adapter, or a layer in a file.
        to: "pytorch" ("torch" is the same) or "keras", the framework of the result.

    Returns:
        For "pytorch" a torch.nn.Module, called as Keras's layer: `(inputs, initial_state=None, mask=None, training=None)`,
        returning what Keras returns. For "keras" a Keras layer, called as torch's: `(inputs, hx=None, lengths=None)`, returning
        `(output, h_n)` or `(output, (h_n, c_n))`.

    Raises:
        GatewiseError: for what has no emulation, by name.
    """
    target = row_of(to)
    if is_adapter(native):
        own = getattr(type(native), "emulate", None)
        if own is not None:
            return own(native, to)  # a layer in a file, see frameworks.files
        native = native.native
    owner = row_of(registry.owner_name(native))
    if owner is target:
        raise InvalidValueError.because(
            "the layer to emulate",
            must=f"be of another framework than {target.name!r}",
            but="is of the same",
            remedy="Use it as it is.",
        )
    return registry.load_porting(owner, target).emulate(native)
