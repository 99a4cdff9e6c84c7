"""How each framework lays out the arrays of a direction, written out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.acceptance.diagnose.settings import Array

Native = dict[str, Array]
"""A direction's arrays as the framework has them: Keras's by kernel, recurrent and bias; torch's by weight_ih and so on."""

TORCH_ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "gru-before": (1, 0, 2), "rnn": (0,)}
"""Which gate of Keras's lies at each place of torch's; to a GRU's it is its own inverse."""


def join(blocks: Sequence[Array] | Array) -> Array:
    """Return blocks (gate, ..., hidden) side by side on the last axis, as Keras has them."""
    return np.concatenate(list(blocks), axis=-1)


def split(array: Array, gates: int) -> Array:
    """Return Keras's columns as (gate, ..., hidden)."""
    return np.stack(np.split(array, gates, axis=-1))


def to_keras(cell: str, arrays: Native) -> Native:
    """Return the kernels and the bias of a Keras layer."""
    rows = np.stack([join(row) for row in arrays["bias"]])
    bias = rows if cell == "gru" else rows.sum(0)
    return {"kernel": join(arrays["kernel"]), "recurrent": join(arrays["recurrent"]), "bias": bias}


def to_torch(cell: str, arrays: Native, order: Sequence[int] | None = None) -> Native:
    """Return the weights and biases of a torch module, with its gates in its order or in another."""
    order = list(order or TORCH_ORDER[cell])
    return {
        "weight_ih": join(arrays["kernel"][order]).T.copy(),
        "weight_hh": join(arrays["recurrent"][order]).T.copy(),
        "bias_ih": join(arrays["bias"][0][order]),
        "bias_hh": join(arrays["bias"][1][order]),
    }


def from_keras(cell: str, native: Native, gates: int) -> Native:
    """Return what lies in a Keras layer by gate: kernel (gate, input, hidden), recurrent, bias (2, gate, hidden)."""
    rows = native["bias"] if cell == "gru" else np.stack([native["bias"], np.zeros_like(native["bias"])])
    return {
        "kernel": split(native["kernel"], gates),
        "recurrent": split(native["recurrent"], gates),
        "bias": np.stack([split(row, gates) for row in rows]),
    }


def from_torch(cell: str, native: Native, gates: int) -> Native:
    """Return what lies in a torch module by gate, as `from_keras` does."""
    order = list(TORCH_ORDER[cell])
    return {
        "kernel": split(native["weight_ih"].T, gates)[order],
        "recurrent": split(native["weight_hh"].T, gates)[order],
        "bias": np.stack([split(native[name], gates)[order] for name in ("bias_ih", "bias_hh")]),
    }
