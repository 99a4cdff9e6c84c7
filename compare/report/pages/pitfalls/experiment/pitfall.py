"""A classic mistake as data: three pieces of code, run one after the other exactly as printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pitfall:
    """One mistake that raises no error.

    Args:
        name: identifier in the results.
        title: the mistake.
        why: the consequence of the mistake, in a sentence or two.
        wanted: code that sets `expected`.
        wrong: code that sets `found` as often written.
        right: code that sets `found` correctly.
        tolerance: the largest error that the correct code may have.
    """

    name: str
    title: str
    why: str
    wanted: str
    wrong: str
    right: str
    tolerance: float = 1e-5


@dataclass(frozen=True)
class Group:
    """Mistakes on one topic.

    Args:
        name: identifier in the results.
        title: the heading of its section.
        pitfalls: the mistakes.
    """

    name: str
    title: str
    pitfalls: tuple[Pitfall, ...]


SETUP = """\
import keras
import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from frameworks.emulation.pytorch import KerasLSTM
from gatewise import convert, copy_weights, emulate

keras.utils.set_random_seed(0)
torch.manual_seed(0)
rng = np.random.default_rng(5)
x = rng.normal(size=(3, 6, 4)).astype("float32")                # (batch, time, input)
tensor = torch.from_numpy(x)

def randomised(layer):                                          # biases too: Keras's zeros would hide mistakes
    layer.build(x.shape)
    layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.weights])
    return layer

lstm = randomised(keras.layers.LSTM(5, return_sequences=True, return_state=True))
gru = randomised(keras.layers.GRU(5, return_sequences=True))
bidirectional = randomised(keras.layers.Bidirectional(keras.layers.LSTM(5)))
stack = [randomised(keras.layers.LSTM(4, return_sequences=True)) for _ in range(2)]
lengths = torch.tensor([6, 4, 2])
mask = np.arange(6) < lengths.numpy()[:, None]                  # padding on the right
"""
