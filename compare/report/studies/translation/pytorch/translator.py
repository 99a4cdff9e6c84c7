"""Encoder and decoder together: with teacher forcing for training, greedily for translating."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Translator(nn.Module):
    """Runs the decoder step by step. Its states are passed on as they come, one array or two."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the logits of each token of the target from those before it: teacher forcing.

        Args:
            source: (batch, source), token numbers.
            target: (batch, time), token numbers, that of the start first.

        Returns:
            (batch, time - 1, vocab), for the tokens after the first.
        """
        enc_output, states = self.encoder(source)
        steps = []
        for t in range(target.shape[1] - 1):
            logits, states, _ = self.decoder(target[:, t : t + 1], states, enc_output)
            steps.append(logits)
        return torch.stack(steps, dim=1)

    @torch.no_grad()
    def translate(self, source: Tensor, start: int, end: int, max_length: int) -> tuple[Tensor, Tensor]:
        """Take the likeliest token at each step, until every row has ended.

        Args:
            source: (batch, source), token numbers.
            start: the token that each translation begins with, itself not returned.
            end: the token that each translation ends with; after it there is padding, 0.
            max_length: the most tokens to write.

        Returns:
            The tokens, (batch, time), and where each step looked, (batch, time, source).
        """
        enc_output, states = self.encoder(source)
        x = torch.full((source.shape[0], 1), start)
        ended = torch.zeros((source.shape[0], 1), dtype=torch.bool)
        tokens, looks = [], []
        for _ in range(max_length):
            logits, states, attention = self.decoder(x, states, enc_output)
            x = torch.argmax(logits, dim=-1, keepdim=True)
            x = x.masked_fill(ended, 0)
            tokens.append(x)
            looks.append(attention[:, :, 0])
            ended = ended | (x == end)
            if ended.all():
                break
        return torch.cat(tokens, dim=1), torch.stack(looks, dim=1)
