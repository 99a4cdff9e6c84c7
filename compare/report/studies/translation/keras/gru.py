"""Encoder and decoder of the translation tutorial, with a GRU.

Source: https://github.com/tensorflow/docs, "Neural machine translation with attention", as it was for TensorFlow 2.0 to 2.5.

One important line differs from the tutorial. Its decoder calls `self.gru(x)`, so the GRU starts each step from zero and its
recurrent kernel is never trained (https://github.com/tensorflow/tensorflow/issues/38248). Here the state is passed on.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from compare.report.studies.translation.keras.attention import BahdanauAttention


class Encoder(keras.Model):
    """Reads the source, padding included."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.gru = layers.GRU(units, return_sequences=True, return_state=True)

    def call(self, x: Any) -> Any:
        """Encode.

        Args:
            x: (batch, source), token ids.

        Returns:
            The output at every step, (batch, source, units), and the last hidden state, (batch, units).
        """
        x = self.embedding(x)
        output, hidden = self.gru(x)
        return output, hidden


class Decoder(keras.Model):
    """Writes the target, one token per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.dropout = layers.Dropout(dropout)
        self.attention = BahdanauAttention(units)
        # One step per call: nothing to loop over.
        self.gru = layers.GRU(units, return_sequences=True, return_state=True, unroll=True)
        self.fc = layers.Dense(vocab_size)

    def call(self, x: Any, hidden: Any, enc_output: Any) -> Any:
        """Decode one step.

        Args:
            x: (batch, 1), the previous token.
            hidden: (batch, units), the last state of the encoder, or of the previous step.
            enc_output: (batch, source, units).

        Returns:
            The logits of the next token, (batch, vocab), the hidden state, (batch, units), and the attention of the step,
            (batch, source, 1).
        """
        context, attention = self.attention(hidden, enc_output)
        x = self.dropout(self.embedding(x))
        x = ops.concatenate([ops.expand_dims(context, 1), x], axis=-1)
        output, hidden = self.gru(x, initial_state=hidden)
        logits = self.fc(output[:, 0])
        return logits, hidden, attention
