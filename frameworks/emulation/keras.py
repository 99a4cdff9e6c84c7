"""PyTorch's recurrent modules, written in Keras: the public names of `frameworks.torch_in_keras.layers`."""

from frameworks.torch_in_keras.layers import *  # noqa: F403  the same names, under the path that the README shows
