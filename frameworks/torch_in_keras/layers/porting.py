"""Making the Keras layer that behaves as a torch module does."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from frameworks.keras.building import untouched_random
from frameworks.registry import load
from frameworks.spec import CellName
from frameworks.torch_in_keras.layers.cells import TorchCell, TorchGRUCell, TorchLSTMCell, TorchRNNCell
from frameworks.torch_in_keras.layers.module import TorchModule
from frameworks.torch_in_keras.layers.torch_layers import TorchGRU, TorchLSTM, TorchRecurrent, TorchRNN

LAYERS: dict[CellName, type[TorchRecurrent]] = {"rnn": TorchRNN, "lstm": TorchLSTM, "gru": TorchGRU}
CELLS: dict[CellName, type[TorchCell]] = {"rnn": TorchRNNCell, "lstm": TorchLSTMCell, "gru": TorchGRUCell}

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
    """Build the layer that is called as the module, returns what it returns and trains as it does, with its weights.

    It is built, in the module's dtype, and keeps what the module's parameters say of being trained. Whether it drops outputs
    between layers is Keras's `training`, not the module's mode: it does so in `fit` and with `training=True`. Weights are exact
    copies; afterwards neither side sees the other's changes.

    Args:
        module: nn.RNN, nn.LSTM, nn.GRU, or one of their cells.

    Raises:
        GatewiseError: for another module, half precision, parametrised or shared weights, or a forward of its own.
    """
    load("pytorch")
    spec, _ = import_module("frameworks.pytorch.structure").read_emulated(module)
    kind: Any = (LAYERS if hasattr(module, "num_layers") else CELLS)[spec.cell]
    arguments = {name: getattr(module, name) for name in _ARGUMENTS if hasattr(module, name)}
    with untouched_random():
        layer: TorchModule = kind(**arguments, dtype=spec.dtype)
        layer.build()
    for name in layer.weight_shapes:
        parameter, variable = getattr(module, name), getattr(layer, name)
        variable.assign(parameter.detach().cpu().numpy().copy())  # JAX would go on reading the module's own memory
        variable.trainable = parameter.requires_grad
    return layer
