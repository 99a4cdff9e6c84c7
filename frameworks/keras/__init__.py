"""Adapters for Keras's recurrent layers: Keras 3 on any backend, and existing layers of tf_keras."""

import keras

from frameworks.keras.adapter import KerasAdapter, adapt
from frameworks.keras.building import build, build_like
from frameworks.keras.calling import call_whole
from frameworks.keras.structure import describe, parts

__all__ = ["KerasAdapter", "adapt", "build", "build_like", "call_whole", "describe", "parts"]

# The first operation makes the backend look for devices and log it; these lines are held back during the import.
keras.ops.zeros(())
