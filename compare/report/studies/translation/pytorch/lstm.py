"""Encoder and decoder of the translation tutorial, with an LSTM: a diff with `gru` shows what the cell state changes.

The encoder returns one array more than a GRU does. Both states are passed to the decoder, and from step to step. The
attention gets only the hidden state.
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
        self.lstm = nn.LSTM(embedding_dim, units, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Encode.

        Args:
            x: (batch, source), token ids.

        Returns:
            The output at every step, (batch, source, units), and the last hidden and cell state, each (1, batch, units).
        """
        x = self.embedding(x)
        output, (hidden, cell) = self.lstm(x)
        return output, (hidden, cell)


class Decoder(nn.Module):
    """Writes the target, one token per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.dropout = nn.Dropout(dropout)
        self.attention = BahdanauAttention(units)
        self.lstm = nn.LSTM(units + embedding_dim, units, batch_first=True)
        self.fc = nn.Linear(units, vocab_size)

    def forward(
        self, x: Tensor, states: tuple[Tensor, Tensor], enc_output: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
        """Decode one step.

        Args:
            x: (batch, 1), the previous token.
            states: hidden and cell state, each (1, batch, units), of the encoder's last step, or of the previous step.
            enc_output: (batch, source, units).

        Returns:
            The logits of the next token, (batch, vocab), hidden and cell state, each (1, batch, units), and the attention of
            the step, (batch, source, 1).
        """
        hidden, cell = states
        context, attention = self.attention(hidden[-1], enc_output)
        x = self.dropout(self.embedding(x))
        x = torch.cat([context.unsqueeze(1), x], dim=-1)
        output, (hidden, cell) = self.lstm(x, (hidden, cell))
        logits = self.fc(output[:, 0])
        return logits, (hidden, cell), attention
