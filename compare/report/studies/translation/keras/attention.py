"""Additive attention: the weight of each source step in each step of the decoder.

Source: Bahdanau et al. 2014, https://arxiv.org/abs/1409.0473, section 3.1 and appendix A.1.2.
"""

from __future__ import annotations

from typing import Any

from keras import layers, ops


class BahdanauAttention(layers.Layer):
    """Weights the encoder's outputs by how well each matches the decoder's state."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.W1 = layers.Dense(units)
        self.W2 = layers.Dense(units)
        self.V = layers.Dense(1)

    def call(self, query: Any, values: Any) -> Any:
        """Attend.

        Args:
            query: (batch, units), the decoder's hidden state.
            values: (batch, source, units), the encoder's outputs. As in the tutorial, those at
                padding are read like all others; the model has to learn to ignore them from the padding's own embedding.

        Returns:
            The context, (batch, units), and the attention, (batch, source, 1), which adds up to 1 along `source`.
        """
        query = ops.expand_dims(query, 1)
        score = self.V(ops.tanh(self.W1(query) + self.W2(values)))
        attention = ops.softmax(score, axis=1)
        context = ops.sum(attention * values, axis=1)
        return context, attention
