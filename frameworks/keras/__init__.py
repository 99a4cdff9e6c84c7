"""Keras's recurrent layers behind the one interface: Keras 3 on any of its backends, and tf_keras's as far as reading goes."""

import keras

from frameworks.keras.adapter import KerasAdapter, adapt
from frameworks.keras.building import build, build_like
from frameworks.keras.calling import call_whole
from frameworks.keras.structure import describe, parts

__all__ = ["KerasAdapter", "adapt", "build", "build_like", "call_whole", "describe", "parts"]

# The first operation makes the backend look for devices; the log lines of that belong to the import, which is quiet.
keras.ops.zeros(())
