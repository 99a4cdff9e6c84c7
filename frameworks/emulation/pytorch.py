"""Keras's recurrent layers, written in torch: the public names of `frameworks.keras_in_torch.layers`."""

from frameworks.keras_in_torch.layers import *  # noqa: F403  the same names, under the path that the README shows
