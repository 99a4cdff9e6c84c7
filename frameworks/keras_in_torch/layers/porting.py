"""From a Keras layer to the torch module that behaves the same, with its weights, flags and stored states."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from frameworks.cells import CELLS, cells_by_name
from frameworks.copying import fill
from frameworks.errors import GatewiseError, InvalidTypeError, InvalidValueError
from frameworks.keras.contents import is_recurrent, refuse_whole
from frameworks.keras.natives import WITH_ONE, cell_name, cells_of, library_of, require_no_convolution, require_own_call
from frameworks.keras.spec import name_or_function, wrappers_of
from frameworks.keras.tensors import map_nested, to_numpy, view
from frameworks.keras_in_torch.layers.arguments import CELL_ARGUMENTS, PENALTIES
from frameworks.keras_in_torch.layers.cell_modules import CELL_MODULES, KerasCell
from frameworks.keras_in_torch.layers.parameters import CellHolder, Slot
from frameworks.keras_in_torch.layers.recurrent_layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasRNN, KerasSimpleRNN
from frameworks.keras_in_torch.layers.sequential import (
    KerasDropout,
    KerasEmbedding,
    KerasMasking,
    KerasSequential,
    KerasTimeDistributed,
)
from frameworks.layouts import KERAS, PYTORCH
from frameworks.whole_models import WholeModelError

_LAYERS: Mapping[str, type[KerasRNN]] = {
    CELLS[layer.cell_class.kind].names["keras"]: layer for layer in (KerasSimpleRNN, KerasLSTM, KerasGRU)
}
_OWN_ARGUMENTS = ("recurrent_activation", "implementation", "reset_after")
"""Arguments that some cells have."""


def emulate(native: Any) -> nn.Module:
    """Build the torch module that behaves like a Keras object, in eval mode.

    Args:
        native: a Keras object, see `frameworks.emulate`.

    Raises:
        GatewiseError: for an object without an emulation, with its name.
    """
    library = library_of(native)
    try:
        return _port(native, library).eval()
    except WholeModelError:
        raise refuse_whole(native, library) or _unported(native, library, "is a model") from None


def _port(native: Any, library: ModuleType) -> nn.Module:
    kinds = library.layers
    if isinstance(native, (list, tuple)):
        return _port_layers(native, library)
    if isinstance(native, library.Model) and not isinstance(native, library.Sequential):
        raise _unported(native, library, "is a model")
    require_no_convolution(native)
    for name, port in _PORTS:
        kind = getattr(kinds, name, None) or getattr(library, name)
        if isinstance(native, kind):
            require_own_call(native, library, (name,))
            return port(native, library)
    return _port_cell(native, library)


def _port_layers(layers: Sequence[Any], library: ModuleType) -> nn.Module:
    return _port_each(layers, layers, library)


def _port_each(native: Any, layers: Sequence[Any], library: ModuleType) -> nn.Module:
    kinds = tuple(getattr(library.layers, name, None) or getattr(library, name) for name, _ in _PORTS)
    odd = next((layer for layer in layers if not isinstance(layer, kinds) or _repeats_another(layer, library)), None)
    if odd is not None:
        raise _unported(native, library, f"has {type(odd).__name__} {odd.name!r}")
    _require_one_dtype("the layers", layers)
    # A layer that occurs twice has one set of weights.
    ported = {id(layer): _port(layer, library) for layer in layers}
    return KerasSequential([ported[id(layer)] for layer in layers])


def _repeats_another(layer: Any, library: ModuleType) -> bool:
    return isinstance(layer, library.layers.TimeDistributed) and not is_recurrent(layer, library)


def _unported(native: Any, library: ModuleType, but: str) -> GatewiseError:
    """Return the refusal of a model, which names its recurrent layers if it has any."""
    return refuse_whole(native, library) or _refused(native, "have a recurrent layer", f"{but} without one", WITH_ONE)


def _port_sequential(native: Any, library: ModuleType) -> nn.Module:
    ported = _port_each(native, native.layers, library)
    if not isinstance(native.layers[0], library.layers.Embedding):
        for tensor in native.inputs or ():
            _require_unrounded(native, getattr(tensor.dtype, "name", tensor.dtype), native.layers[0].compute_dtype)
    return ported


def _require_unrounded(native: Any, input_dtype: str, layer_dtype: str) -> None:
    """Raise an error for a model whose input has a narrower dtype than its first layer."""
    if torch.promote_types(getattr(torch, input_dtype), getattr(torch, layer_dtype)) != getattr(torch, input_dtype):
        raise _refused(
            native,
            f"have an input of {layer_dtype}, like its layers",
            f"has one of {input_dtype}, which rounds the data",
            "Begin it with a keras.Input of that dtype, or pass its layers as a list",
        )


def _port_time_distributed(native: Any, library: ModuleType) -> nn.Module:
    _require_one_dtype(type(native).__name__, [native])
    return KerasTimeDistributed(_port(native.layer, library))


def _port_bidirectional(native: Any, library: ModuleType) -> nn.Module:
    forward, backward = (_port_rnn(layer, library) for layer in (native.forward_layer, native.backward_layer))
    _require_one_dtype(type(native).__name__, [native])
    return KerasBidirectional(forward, native.merge_mode, backward_layer=backward)


def _port_rnn(native: Any, library: ModuleType) -> KerasRNN:
    cells, stacked = cells_of(native, library)
    _warn_of_penalties(native, ["activity_regularizer"])
    flags: dict[str, Any] = {
        "return_sequences": bool(native.return_sequences),
        "return_state": bool(native.return_state),
        "go_backwards": bool(native.go_backwards),
        "stateful": bool(native.stateful),
        "zero_output_for_mask": bool(getattr(native, "zero_output_for_mask", False)),
    }
    kind = next((kind for name, kind in _LAYERS.items() if isinstance(native, getattr(library.layers, name))), None)
    if kind is not None:
        layer: KerasRNN = kind(**_cell_arguments(cells[0], library), **flags)
        _copy_weights(cells[0], layer, layer.slots[0])
    else:
        modules = [_port_cell(cell, library) for cell in cells]
        layer = KerasRNN(modules if stacked else modules[0], **flags)
    _require_one_dtype(type(native).__name__, [native])
    if native.stateful and native.states is not None:
        layer.store_states(_stored_states(native))
    return layer


def _stored_states(native: Any) -> Any:
    # Keras stores them in its own list type.
    as_lists = [list(state) if hasattr(state, "__iter__") and not hasattr(state, "shape") else state for state in native.states]
    return map_nested(lambda variable: torch.from_numpy(np.array(to_numpy(variable))), as_lists)


def _port_cell(native: Any, library: ModuleType) -> KerasCell:
    cell = CELL_MODULES[cell_name(native, library)](**_cell_arguments(native, library))
    _copy_weights(native, cell, cell.slots[0])
    return cell


def _cell_arguments(native: Any, library: ModuleType) -> dict[str, Any]:
    """Return the constructor arguments of a built cell; its weights are copied afterwards, so the initialisers are zeros."""
    kind = cell_name(native, library)
    if not native.built or getattr(native, "kernel", None) is None:
        raise InvalidValueError.because(
            f"the {type(native).__name__} of the layer",
            must="be built",
            but="has no weights yet",
            remedy="Call the layer once on data, or layer.build((None, None, input_size)).",
        )
    _warn_of_penalties(native, PENALTIES)
    own = {name: getattr(native, name) for name in _OWN_ARGUMENTS if name in CELL_ARGUMENTS[kind]}
    return {
        "units": int(native.units),
        "activation": name_or_function(native.activation, library),
        "input_size": int(native.kernel.shape[0]),
        "use_bias": bool(native.use_bias),
        "dropout": float(native.dropout),
        "recurrent_dropout": float(native.recurrent_dropout),
        "dtype": _dtype_name(native),
        "trainable": bool(native.trainable),
        "kernel_initializer": "zeros",
        "recurrent_initializer": "zeros",
        **{name: name_or_function(value, library) if callable(value) else value for name, value in own.items()},
    }


def _copy_weights(native: Any, module: CellHolder, slot: Slot) -> None:
    input_size = int(native.kernel.shape[0])
    spec = slot.cell.spec(input_size)
    arrays = {name: view(getattr(native, name)) for name in KERAS.names(spec)}
    # torch accepts NumPy's half precision, but not the bfloat16 that TensorFlow adds to NumPy.
    arrays = {name: array if array.dtype.kind == "f" else array.astype(np.float32) for name, array in arrays.items()}
    source = KERAS.read(arrays, spec, 0)
    for name, shape in slot.cell.shapes(input_size).items():
        staging = np.empty(shape, source.kernel.dtype)
        fill({name: staging}, PYTORCH, spec, 0, source)
        with torch.no_grad():
            getattr(module, f"{name}{slot.suffix}").copy_(torch.from_numpy(staging))


def _warn_of_penalties(native: Any, names: Sequence[str]) -> None:
    """Warn of settings that affect only training and are not carried over: in torch they belong in the training loop."""
    left = [name for name in names if getattr(native, name, None) is not None]
    if left:
        warnings.warn(
            f"{', '.join(left)} of {type(native).__name__} {native.name!r} is not carried over: it changes no output, but "
            "training without it differs. Add a regulariser's penalty to the loss, and apply a constraint after each step "
            "of the optimizer.",
            stacklevel=2,
        )


def _dtype_name(layer: Any) -> str:
    weights, arithmetic = str(layer.variable_dtype), str(layer.compute_dtype)
    if weights not in (arithmetic, "float32"):
        raise _refused(layer, f"keep float32 weights if it computes in {arithmetic}", f"keeps {weights}", "Cast it as a whole")
    return weights if weights == arithmetic else f"mixed_{arithmetic}"


def _require_one_dtype(subject: str, layers: Sequence[Any]) -> None:
    """Raise an error for layers and wrappers of different dtypes, because one would cast the results of another."""
    dtypes = {(str(each.variable_dtype), str(each.compute_dtype)) for layer in layers for each in wrappers_of(layer)}
    if len(dtypes) > 1:
        raise InvalidTypeError.because(
            subject,
            must="have one dtype in all wrappers, inner layers and cells",
            but=f"has {' and '.join(sorted(arithmetic for _, arithmetic in dtypes))}",
            remedy="Pass the inner layer's dtype to all wrappers and the other layers: Keras's default is float32.",
        )


def _port_masking(native: Any, library: ModuleType) -> nn.Module:  # noqa: ARG001  one signature
    return KerasMasking(float(native.mask_value))


def _port_embedding(native: Any, library: ModuleType) -> nn.Module:  # noqa: ARG001
    if not native.built:
        raise _refused(native, "be built", "has no weights yet", "Call it once on data")
    weights = torch.from_numpy(np.array(to_numpy(native.embeddings)))
    return KerasEmbedding(*weights.shape, mask_zero=bool(native.mask_zero), _weight=weights)


def _port_dropout(native: Any, library: ModuleType) -> nn.Module:  # noqa: ARG001
    if native.noise_shape is not None:
        raise _refused(native, "have no noise_shape", f"has {native.noise_shape}", "Write it in torch as your own module")
    return KerasDropout(float(native.rate))


def _refused(layer: Any, must: str, but: str, remedy: str) -> GatewiseError:
    return InvalidTypeError.because(type(layer).__name__, must=must, but=but, remedy=f"{remedy}.")


_PORTS: tuple[tuple[str, Callable[[Any, ModuleType], nn.Module]], ...] = (
    ("Sequential", _port_sequential),
    ("TimeDistributed", _port_time_distributed),
    ("Bidirectional", _port_bidirectional),
    *((name, _port_rnn) for name in (*cells_by_name("keras"), "RNN")),
    ("Masking", _port_masking),
    ("Embedding", _port_embedding),
    ("Dropout", _port_dropout),
)
