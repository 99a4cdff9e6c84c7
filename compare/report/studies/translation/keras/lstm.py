"""Encoder and decoder of the translation tutorial, with an LSTM: a diff with `gru` shows what the cell state changes.

The encoder returns one array more than a GRU does. Both states are passed to the decoder, and from step to step. The
attention gets only the hidden state.
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
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True)

    def call(self, x: Any) -> Any:
        """Encode.

        Args:
            x: (batch, source), token ids.

        Returns:
            The output at every step, (batch, source, units), and the last hidden and cell state, each (batch, units).
        """
        x = self.embedding(x)
        output, hidden, cell = self.lstm(x)
        return output, (hidden, cell)


class Decoder(keras.Model):
    """Writes the target, one token per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.dropout = layers.Dropout(dropout)
        self.attention = BahdanauAttention(units)
        # One step per call: nothing to loop over.
        self.lstm = layers.LSTM(units, return_sequences=True, return_state=True, unroll=True)
        self.fc = layers.Dense(vocab_size)

    def call(self, x: Any, states: Any, enc_output: Any) -> Any:
        """Decode one step.

        Args:
            x: (batch, 1), the previous token.
            states: hidden and cell state, each (batch, units), of the encoder's last step, or of the previous step.
            enc_output: (batch, source, units).

        Returns:
            The logits of the next token, (batch, vocab), hidden and cell state, each (batch, units), and the attention of
            the step, (batch, source, 1).
        """
        hidden, cell = states
        context, attention = self.attention(hidden, enc_output)
        x = self.dropout(self.embedding(x))
        x = ops.concatenate([ops.expand_dims(context, 1), x], axis=-1)
        output, hidden, cell = self.lstm(x, initial_state=[hidden, cell])
        logits = self.fc(output[:, 0])
        return logits, (hidden, cell), attention
