"""Keras's recurrent layers, written in torch."""

from frameworks.emulation.pytorch.adapter import adapt
from frameworks.emulation.pytorch.calling import call_whole
from frameworks.emulation.pytorch.layers import KerasBidirectional, KerasGRU, KerasLSTM, KerasRNN, KerasSimpleRNN
from frameworks.emulation.pytorch.modules import KerasGRUCell, KerasLSTMCell, KerasSimpleRNNCell
from frameworks.emulation.pytorch.onnx import OnnxRecurrent
from frameworks.emulation.pytorch.sequential import KerasDropout, KerasEmbedding, KerasMasking, KerasSequential
from frameworks.emulation.pytorch.structure import describe, parts

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
    "OnnxRecurrent",
    "adapt",
    "call_whole",
    "describe",
    "parts",
]
