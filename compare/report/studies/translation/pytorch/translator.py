"""Encoder and decoder together: teacher forcing for training, greedy decoding for translating."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Translator(nn.Module):
    """Runs the decoder step by step. Its states are passed on unchanged, whether one array or two."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
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
        return torch.stack(steps, dim=1)

    @torch.no_grad()
    def translate(self, source: Tensor, start: int, end: int, max_length: int) -> tuple[Tensor, Tensor]:
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
