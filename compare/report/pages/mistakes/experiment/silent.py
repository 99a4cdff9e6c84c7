"""Mistakes beside the recurrent layer's weights and call, which `diagnose` does not name: code run as printed, by seed."""

from __future__ import annotations

from dataclasses import dataclass

from compare.report.arrays import distance, flat
from compare.report.results import Results, control, exact, measured
from compare.report.snippets import run_snippet

SEEDS = range(10)


@dataclass(frozen=True)
class Silent:
    """One mistake that raises no error.

    Args:
        title: the mistake.
        why: its consequence, in a sentence or two.
        wanted: code that sets `expected`.
        wrong: code that sets `found` as often written.
        right: code that sets `found` correctly, run after the wrong code.
        tolerance: the largest error that the correct code may have.
    """

    title: str
    why: str
    wanted: str
    wrong: str
    right: str
    tolerance: float = 1e-5


SETUP = """\
import keras
import numpy as np
import tensorflow as tf
import torch
from gatewise import convert, emulate

seed = 0
keras.utils.set_random_seed(seed)
rng = np.random.default_rng(seed)
x = rng.normal(size=(3, 6, 4)).astype("float32")                # (batch, time, input)
mask = np.arange(6) < np.array([6, 4, 2])[:, None]              # padding on the right

def randomised(layer):                                          # biases too: Keras's zeros would hide mistakes
    layer.build(x.shape)
    layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.weights])
    return layer

lstm = randomised(keras.layers.LSTM(5, return_sequences=True, return_state=True))
bidirectional = randomised(keras.layers.Bidirectional(keras.layers.LSTM(5)))
"""

SILENT = {
    "time-axis-missing": Silent(
        "A single time step without a time axis",
        "torch treats a 2-D input as one unbatched sequence, so the rows become time steps. Keras refuses it.",
        "expected = lstm(x[:, :1])[0][:, 0]\n",
        "rnn = convert(lstm)\nfound, _ = rnn(torch.from_numpy(x)[:, 0])\n",
        "found = rnn(torch.from_numpy(x)[:, :1])[0][:, 0]\n",
    ),
    "both-biases-trained": Silent(
        "Training both biases of an LSTM",
        "Each gets the whole gradient, so their sum moves twice as far as Keras's one bias. Here: one step of descent.",
        """\
with tf.GradientTape() as tape:
    loss = keras.ops.sum(lstm(x)[0])
expected = lstm.cell.bias - 0.1 * tape.gradient(loss, lstm.cell.bias)
""",
        """\
rnn = convert(lstm)
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
rnn(torch.from_numpy(x))[0].sum().backward()
optimizer.step()
found = rnn.bias_ih_l0 + rnn.bias_hh_l0
""",
        """\
rnn = convert(lstm)
rnn.bias_hh_l0.requires_grad_(False)                # or half the learning rate for both
optimizer = torch.optim.SGD(rnn.parameters(), lr=0.1)
rnn(torch.from_numpy(x))[0].sum().backward()
optimizer.step()
found = rnn.bias_ih_l0 + rnn.bias_hh_l0
""",
    ),
    "weights-argument": Silent(
        "`Bidirectional(weights=...)`",
        "Keras 3 accepts the argument and never reads it: the layer starts from random weights.",
        "expected = bidirectional(x)\n",
        "layer = keras.layers.Bidirectional(keras.layers.LSTM(5), weights=bidirectional.get_weights())\nfound = layer(x)\n",
        "layer.set_weights(bidirectional.get_weights())\nfound = layer(x)\n",
    ),
    "zero-output-for-mask": Silent(
        "`zero_output_for_mask=True` without `return_sequences`",
        "Keras returns the output at the last step, which is then zero for every row that is padded on the right.",
        "expected = lstm(x, mask=mask)[1]\n",
        "last = keras.layers.RNN(lstm.cell, zero_output_for_mask=True)\nfound = last(x, mask=mask)\n",
        "last = keras.layers.RNN(lstm.cell)\nfound = last(x, mask=mask)\n",
    ),
    "mask-lost": Silent(
        "A computation between an Embedding and its recurrent layer",
        "The mask travels with the Embedding's tensor. `*`, `keras.ops` and Lambda layers do not pass it on.",
        """\
ids = rng.integers(1, 9, size=(3, 6)) * mask
embedding = keras.layers.Embedding(9, 4, mask_zero=True, embeddings_initializer="random_normal")
expected = lstm(keras.ops.multiply(embedding(ids), 9.0), mask=mask)[1]
""",
        "found = lstm(embedding(ids) * 9.0)[1]\n",
        "found = lstm(embedding(ids) * 9.0, mask=embedding.compute_mask(ids))[1]\n",
    ),
    "wrapper-dtype": Silent(
        "A `Bidirectional` without its layer's dtype",
        "`Bidirectional` has a dtype of its own, float32 by default, and casts the inputs of its float64 layer to it. The float64 "
        "result is only accurate to float32.",
        """\
wide = keras.layers.Bidirectional(keras.layers.LSTM(5, dtype="float64"), dtype="float64")
wide.build(x.shape)
wide.set_weights(bidirectional.get_weights())
expected = emulate(wide)(torch.from_numpy(x).double() / 3)
""",
        """\
layer = keras.layers.Bidirectional(keras.layers.LSTM(5, dtype="float64"))
layer.build(x.shape)
layer.set_weights(wide.get_weights())
found = layer(x.astype("float64") / 3)
""",
        'found = wide(x.astype("float64") / 3)\n',
        tolerance=1e-12,
    ),
}


def run_silent(silent: Silent, seeds: range = SEEDS) -> Results:
    """Make a mistake and mend it, from each seed: after a fresh setup, the three pieces one after the other."""
    sizes: dict[str, list[float]] = {"wrong": [], "right": []}
    for seed in seeds:
        _, names = run_snippet(SETUP.replace("seed = 0\n", f"seed = {seed}\n"))
        run_snippet(silent.wanted, names)
        for which, errors in sizes.items():
            run_snippet(getattr(silent, which), names)
            errors.append(distance(flat(names["expected"]), flat(names["found"])))
    return {
        "title": exact(silent.title),
        "why": exact(silent.why),
        "wanted code": exact(silent.wanted),
        "wrong code": exact(silent.wrong),
        "right code": exact(silent.right),
        "least": control(min(sizes["wrong"])),
        "most": control(max(sizes["wrong"])),
        "right": measured(max(sizes["right"]), silent.tolerance),
    }
