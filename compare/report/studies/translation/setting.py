"""The setting of a translator's training, except for its data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Setting:
    """A model and the settings of its training.

    Args:
        cell: cell of encoder and decoder.
        dtype: dtype of all parameters.
        embedding_dim: size of the embeddings of letters and phonemes.
        units: units of encoder, decoder and attention.
        dropout: rate at which the decoder's embedding is dropped in training; the two frameworks draw different numbers.
        optimizer: a class of keras.optimizers.
        optimizer_config: arguments of the optimizer that are not defaults.
        added_up: whether Keras's optimizer gets the gradient of an embedding as one tensor. On TensorFlow it has one row per
            token, and Keras's `fit` does not sum them. Adam then sums the squares of the rows; on every other backend, and in
            PyTorch, it squares their sum.
        seed: seed of the initial parameters and of dropout.
    """

    cell: Literal["gru", "lstm"] = "gru"
    dtype: Literal["float32", "float64"] = "float64"
    embedding_dim: int = 32
    units: int = 64
    dropout: float = 0.0
    optimizer: str = "Adam"
    optimizer_config: dict[str, Any] = field(default_factory=dict)
    added_up: bool = True
    seed: int = 0
