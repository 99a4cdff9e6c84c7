"""Layers of one framework that behave exactly like the other's; each module is named after the framework it is written in."""

from __future__ import annotations

from typing import Any

from frameworks import registry, whole_models
from frameworks.adapter import is_adapter
from frameworks.errors import InvalidValueError
from frameworks.rows import FrameworkName, row_of


def emulate(native: Any, to: FrameworkName = "pytorch") -> Any:
    """Build a layer of the other framework that behaves exactly like this one, with the same weights.

    Args:
        native: a layer of either framework, its adapter, or a layer in a file; of Keras also a TimeDistributed of a recurrent
            layer, and a list or Sequential of recurrent layers, Embedding, Masking and Dropout.
        to: the framework of the result, "pytorch" ("torch" is the same) or "keras"; the layer must belong to the other one.

    Returns:
        For "pytorch" a torch.nn.Module with Keras's call, `(inputs, initial_state=None, mask=None, training=None)`, and Keras's
        results. For "keras" a Keras layer with torch's call, `(inputs, hx=None, lengths=None)`, and torch's results,
        `(output, h_n)` or `(output, (h_n, c_n))`.

        torch.export, torch.jit.trace and torch.onnx.export accept the torch module. A trace works for any batch size and number
        of time steps. A program of torch.export and an ONNX model work for those of the example, unless `dynamic_shapes` (with
        `dynamo=False`, `dynamic_axes`) frees an axis, and raise an error for others. `one_step` computes single steps.

    Raises:
        GatewiseError: for a layer without an emulation, with its name.

    Example:
        >>> import keras, torch
        >>> from gatewise import emulate
        >>> layer = keras.layers.GRU(4, go_backwards=True)
        >>> layer.build((None, None, 3))
        >>> module = emulate(layer, to="pytorch")
        >>> module(torch.zeros(2, 5, 3)).shape
        torch.Size([2, 4])
    """
    target = row_of(to)
    if registry.is_stack_in_file(native):
        native = registry.adapt(native)
    if is_adapter(native):
        own = getattr(type(native), "emulate", None)
        if own is not None:
            return own(native, to)  # for a layer in a file, see frameworks.files
        native = native.native
    owner = row_of(registry.owner_name(native))
    if owner is target:
        raise InvalidValueError.because(
            "the layer to emulate",
            must=f"be of another framework than {target.name!r}",
            but="is of the same",
            remedy="Use it as it is.",
        )
    try:
        return registry.load_porting(owner, target).emulate(native)
    except whole_models.WholeModelError as error:
        raise whole_models.unported(error, "emulate", to) from None
