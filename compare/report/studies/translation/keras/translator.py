"""Encoder and decoder together: teacher forcing for training, greedy decoding for translating."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class Translator(keras.Model):
    """Runs the decoder step by step. Its states are passed on unchanged, whether one array or two."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def call(self, source: Any, target: Any) -> Any:
        """Predict each token of the target from the tokens before it (teacher forcing).

        Args:
            source: (batch, source), token ids.
            target: (batch, time), token ids, beginning with the start token.

        Returns:
            The logits of the tokens after the first, (batch, time - 1, vocab).
        """
        enc_output, states = self.encoder(source)
        steps = []
        for t in range(target.shape[1] - 1):
            logits, states, _ = self.decoder(target[:, t : t + 1], states, enc_output)
            steps.append(logits)
        return ops.stack(steps, axis=1)

    def translate(self, source: Any, start: int, end: int, max_length: int) -> tuple[Any, Any]:
        """Choose the likeliest token at each step, until every row has ended.

        Args:
            source: (batch, source), token ids.
            start: the token that each translation begins with; it is not returned.
            end: the token that each translation ends with; padding, 0, follows it.
            max_length: the largest number of tokens to write.

        Returns:
            The tokens, (batch, time), and the attention of each step, (batch, time, source).
        """
        enc_output, states = self.encoder(source)
        x = ops.full((source.shape[0], 1), start, dtype="int32")
        ended = ops.zeros((source.shape[0], 1), dtype="bool")
        tokens, looks = [], []
        for _ in range(max_length):
            logits, states, attention = self.decoder(x, states, enc_output)
            x = ops.argmax(logits, axis=-1, keepdims=True)
            x = ops.where(ended, 0, x)
            tokens.append(x)
            looks.append(attention[:, :, 0])
            ended = ops.logical_or(ended, x == end)
            if ops.all(ended):
                break
        return ops.concatenate(tokens, axis=1), ops.stack(looks, axis=1)
