"""PyTorch's recurrent modules behind the common interface."""

from frameworks.pytorch.adapter import PyTorchAdapter, adapt
from frameworks.pytorch.building import build, build_like

__all__ = ["PyTorchAdapter", "adapt", "build", "build_like"]
