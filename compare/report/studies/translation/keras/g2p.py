"""The model of g2p_en, an encoder and a decoder without attention: the decoder gets only one state from the encoder.

Source: `predict` in g2p_en 2.1.0, https://github.com/Kyubyong/g2p, which steps through the two GRUs in NumPy.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from compare.report.studies.translation.keras.gru import Encoder


class Decoder(keras.Model):
    """Writes the pronunciation, one phoneme per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.embedding = layers.Embedding(vocab_size, embedding_dim)
        self.gru = layers.GRU(units, return_sequences=True, return_state=True)
        self.fc = layers.Dense(vocab_size)

    def call(self, x: Any, hidden: Any) -> Any:
        """Decode one step.

        Args:
            x: (batch, 1), the previous phoneme.
            hidden: (batch, units), the last state of the encoder, or of the previous step.

        Returns:
            The logits of the next phoneme, (batch, vocab), and the hidden state, (batch, units).
        """
        x = self.embedding(x)
        output, hidden = self.gru(x, initial_state=hidden)
        logits = self.fc(output[:, 0])
        return logits, hidden


class Pronouncer(keras.Model):
    """Pronounces words of one length, since it would read padding like letters."""

    def __init__(self, letters: int, phonemes: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.encoder = Encoder(letters, embedding_dim, units)
        self.decoder = Decoder(phonemes, embedding_dim, units)

    def pronounce(self, source: Any, start: int, end: int, max_length: int) -> Any:
        """Choose the likeliest phoneme at each step, until every row has ended.

        Args:
            source: (batch, source), letters and the end.
            start: the phoneme that each pronunciation begins with; it is not returned.
            end: the phoneme that each pronunciation ends with; anything after it is meaningless.
            max_length: the largest number of phonemes to write.

        Returns:
            (batch, time).
        """
        _, hidden = self.encoder(source)
        x = ops.full((source.shape[0], 1), start, dtype="int32")
        ended = ops.zeros((source.shape[0], 1), dtype="bool")
        phonemes = []
        for _ in range(max_length):
            logits, hidden = self.decoder(x, hidden)
            x = ops.argmax(logits, axis=-1, keepdims=True)
            phonemes.append(x)
            ended = ops.logical_or(ended, x == end)
            if ops.all(ended):
                break
        return ops.concatenate(phonemes, axis=1)
