"""Keras's recurrent layers, written in torch."""

from frameworks.keras_in_torch.layers.adapter import adapt
from frameworks.keras_in_torch.layers.calling import call_whole
from frameworks.keras_in_torch.layers.cell_modules import KerasGRUCell, KerasLSTMCell, KerasSimpleRNNCell
from frameworks.keras_in_torch.layers.onnx import OnnxRecurrent
from frameworks.keras_in_torch.layers.recurrent_layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasRNN, KerasSimpleRNN
from frameworks.keras_in_torch.layers.sequential import (
    KerasDropout,
    KerasEmbedding,
    KerasMasking,
    KerasSequential,
    KerasTimeDistributed,
)
from frameworks.keras_in_torch.layers.structure import describe, parts

__all__ = [
    "KerasBidirectional",
    "KerasDropout",
    "KerasEmbedding",
    "KerasGRU",
    "KerasGRUCell",
    "KerasLSTM",
    "KerasLSTMCell",
    "KerasMasking",
    "KerasRNN",
    "KerasSequential",
    "KerasSimpleRNN",
    "KerasSimpleRNNCell",
    "KerasTimeDistributed",
    "OnnxRecurrent",
    "adapt",
    "call_whole",
    "describe",
    "parts",
]
