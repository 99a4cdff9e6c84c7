"""PyTorch's recurrent modules, written in Keras."""

from frameworks.emulation.keras.layers import TorchGRU, TorchLSTM, TorchRNN

__all__ = ["TorchGRU", "TorchLSTM", "TorchRNN"]
