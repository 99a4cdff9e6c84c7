"""PyTorch's recurrent modules written in Keras, on `keras.ops` alone, so that they run on every backend."""

from frameworks.torch_in_keras.layers.adapter import EmulatedAdapter, adapt
from frameworks.torch_in_keras.layers.cells import TorchGRUCell, TorchLSTMCell, TorchRNNCell
from frameworks.torch_in_keras.layers.onnx import OnnxRecurrent
from frameworks.torch_in_keras.layers.porting import emulate
from frameworks.torch_in_keras.layers.recurrent_layers import TorchGRU, TorchLSTM, TorchRNN

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
