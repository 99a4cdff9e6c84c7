"""A recipe as data: a piece of a Keras program, the same in torch, and a near-miss."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One thing to port.

    Args:
        name: identifier in the results.
        title: the heading of its section.
        note: an explanation, in a few sentences.
        keras: code that sets `expected`.
        pytorch: code that sets `found`.
        mistake: the usual mistake, in words.
        wrong: code that sets `found` by that mistake, run after `pytorch`.
    """

    name: str
    title: str
    note: str
    keras: str
    pytorch: str
    mistake: str
    wrong: str


SETUP = """\
import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from gatewise import convert, copy_weights, emulate

keras.utils.set_random_seed(0)
rng = np.random.default_rng(6)
x = rng.normal(size=(3, 8, 4)).astype("float32")                # (batch, time, input)
y = rng.normal(size=(3, 5, 4)).astype("float32")                # the input of a decoder
ids = np.array([[4, 7, 2, 9, 5, 1, 3, 8],                       # (batch, time), 0 is padding
                [6, 1, 8, 3, 2, 0, 0, 0],
                [5, 2, 7, 0, 0, 0, 0, 0]])

def randomised(layer, inputs=x):                                # instead of training: biases that are not zero
    layer(inputs[:1])
    layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.weights])
    return layer
"""
