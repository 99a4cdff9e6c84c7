"""The model of g2p_en, an encoder and a decoder without attention: the decoder gets only one state from the encoder.

Source: `predict` in g2p_en 2.1.0, https://github.com/Kyubyong/g2p, which steps through the two GRUs in NumPy.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compare.report.studies.translation.pytorch.gru import Encoder


class Decoder(nn.Module):
    """Writes the pronunciation, one phoneme per call."""

    def __init__(self, vocab_size: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.gru = nn.GRU(embedding_dim, units, batch_first=True)
        self.fc = nn.Linear(units, vocab_size)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Decode one step.

        Args:
            x: (batch, 1), the previous phoneme.
            hidden: (1, batch, units), the last state of the encoder, or of the previous step.

        Returns:
            The logits of the next phoneme, (batch, vocab), and the hidden state, (1, batch, units).
        """
        x = self.embedding(x)
        output, hidden = self.gru(x, hidden)
        logits = self.fc(output[:, 0])
        return logits, hidden


class Pronouncer(nn.Module):
    """Pronounces words of one length, since it would read padding like letters."""

    def __init__(self, letters: int, phonemes: int, embedding_dim: int, units: int) -> None:
        super().__init__()
        self.encoder = Encoder(letters, embedding_dim, units)
        self.decoder = Decoder(phonemes, embedding_dim, units)

    @torch.no_grad()
    def pronounce(self, source: Tensor, start: int, end: int, max_length: int) -> Tensor:
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
        x = torch.full((source.shape[0], 1), start)
        ended = torch.zeros((source.shape[0], 1), dtype=torch.bool)
        phonemes = []
        for _ in range(max_length):
            logits, hidden = self.decoder(x, hidden)
            x = torch.argmax(logits, dim=-1, keepdim=True)
            phonemes.append(x)
            ended = ended | (x == end)
            if ended.all():
                break
        return torch.cat(phonemes, dim=1)
