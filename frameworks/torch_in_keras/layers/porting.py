"""From a torch module to the Keras layer that behaves the same, with its weights."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks.cells import CellName
from frameworks.keras.building import untouched_random
from frameworks.registry import load
from frameworks.torch_in_keras.layers.cells import TorchCell, TorchGRUCell, TorchLSTMCell, TorchRNNCell
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.recurrent_layers import TorchGRU, TorchLSTM, TorchRecurrent, TorchRNN

LAYER_CLASSES: dict[CellName, type[TorchRecurrent]] = {kind.cell: kind for kind in (TorchRNN, TorchLSTM, TorchGRU)}
CELL_CLASSES: dict[CellName, type[TorchCell]] = {kind.cell: kind for kind in (TorchRNNCell, TorchLSTMCell, TorchGRUCell)}

_ARGUMENTS = (
    "input_size",
    "hidden_size",
    "num_layers",
    "bias",
    "batch_first",
    "dropout",
    "bidirectional",
    "proj_size",
    "nonlinearity",
)


def emulate(module: Any) -> TorchModule:
    """Build the Keras layer with the module's call, results, training behaviour and weights.

    The layer is built and has the module's dtype, and the same parameters are frozen. Dropout between layers depends on Keras's
    `training`, not on the module's mode: it is active in `fit` and with `training=True`. Weights are exact copies; later
    changes on one side do not affect the other.

    Args:
        module: nn.RNN, nn.LSTM, nn.GRU, or one of their cells.

    Raises:
        GatewiseError: for another module, half precision, parametrised or shared weights, or an overridden forward.
    """
    load("pytorch")
    spec, _ = import_module("frameworks.pytorch.structure").read_emulated(module)
    kind: Any = (LAYER_CLASSES if hasattr(module, "num_layers") else CELL_CLASSES)[spec.cell]
    arguments = {name: getattr(module, name) for name in _ARGUMENTS if hasattr(module, name)}
    with untouched_random():
        layer: TorchModule = kind(**arguments, dtype=spec.dtype)
        layer.build()
    for name in layer.weight_shapes:
        parameter, variable = getattr(module, name), getattr(layer, name)
        variable.assign(parameter.detach().cpu().numpy().copy())  # without a copy, JAX would share the module's memory
        variable.trainable = parameter.requires_grad
    return layer
