"""PyTorch's recurrent modules written in Keras: on `keras.ops` alone, so that they run on each of its backends."""

from frameworks.emulation.keras.adapter import EmulatedAdapter, adapt
from frameworks.emulation.keras.cells import TorchGRUCell, TorchLSTMCell, TorchRNNCell
from frameworks.emulation.keras.layers import TorchGRU, TorchLSTM, TorchRNN
from frameworks.emulation.keras.onnx import OnnxRecurrent
from frameworks.emulation.keras.porting import emulate

__all__ = [
    "EmulatedAdapter",
    "OnnxRecurrent",
    "TorchGRU",
    "TorchGRUCell",
    "TorchLSTM",
    "TorchLSTMCell",
    "TorchRNN",
    "TorchRNNCell",
    "adapt",
    "emulate",
]
