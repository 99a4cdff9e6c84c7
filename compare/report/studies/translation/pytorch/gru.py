"""Encoder and decoder of the translation tutorial, with a GRU.

Source: https://github.com/tensorflow/docs, "Neural machine translation with attention", as it was for TensorFlow 2.0 to 2.5.

One important line differs from the tutorial. Its decoder calls `self.gru(x)`, so the GRU starts each step from zero and its
recurrent kernel is never trained (https://github.com/tensorflow/tensorflow/issues/38248). Here the state is passed on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compare.report.studies.translation.pytorch.attention import BahdanauAttention


class Encoder(nn.Module):
    """Reads the source, padding included."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.gru = nn.GRU(embedding_dim, units, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            x: (batch, source), token ids.

        Returns:
            The output at every step, (batch, source, units), and the last hidden state, (1, batch, units).
        """
        x = self.embedding(x)
        output, hidden = self.gru(x)
        return output, hidden


class Decoder(nn.Module):
    """Writes the target, one token per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.attention = BahdanauAttention(units)
        self.gru = nn.GRU(units + embedding_dim, units, batch_first=True)
        self.fc = nn.Linear(units, vocab_size)

    def forward(self, x: Tensor, hidden: Tensor, enc_output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Decode one step.

        Args:
            x: (batch, 1), the previous token.
            hidden: (1, batch, units), the last state of the encoder, or of the previous step.
            enc_output: (batch, source, units).

        Returns:
            The logits of the next token, (batch, vocab), the hidden state, (1, batch, units), and the attention of the step,
            (batch, source, 1).
        """
        context, attention = self.attention(hidden[-1], enc_output)
        x = self.dropout(self.embedding(x))
        x = torch.cat([context.unsqueeze(1), x], dim=-1)
        output, hidden = self.gru(x, hidden)
        logits = self.fc(output[:, 0])
        return logits, hidden, attention
