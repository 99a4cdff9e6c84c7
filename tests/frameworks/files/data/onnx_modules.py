"""Modules of torch, from which make_onnx_graphs.py exports the models of onnx_graphs.npz."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Tagger(nn.Module):
    """An encoder of several layers, batch first, between an embedding and a linear layer."""

    def __init__(self, cell: str = "LSTM", **arguments: Any) -> None:
        super().__init__()
        ways = 2 if arguments.get("bidirectional") else 1
        self.embed = nn.Embedding(11, 4)
        self.rnn = getattr(nn, cell)(4, 5, num_layers=2, batch_first=True, **arguments)
        self.head = nn.Linear(5 * ways, 3)

    def forward(self, tokens: Any) -> Any:
        return self.head(self.rnn(self.embed(tokens))[0])


class Several(nn.Module):
    """Several recurrent modules, some in a list, and normalisation, convolution and linear layers with options."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.LSTM(4, 5, num_layers=2, bidirectional=True)
        self.decoders = nn.ModuleList([nn.GRU(10, 6), nn.GRU(6, 7)])
        self.first_norm = nn.LayerNorm(7, eps=1e-4)
        self.second_norm = nn.BatchNorm1d(7, eps=1e-2)
        self.turn = nn.PReLU(7)
        self.conv = nn.Conv1d(7, 14, 3, stride=2, padding=1, dilation=2, groups=7)
        self.up = nn.ConvTranspose1d(14, 8, 3, stride=2, groups=2)
        self.out = nn.Sequential(nn.Linear(8, 9, bias=False), nn.Sequential(nn.ReLU(), nn.Linear(9, 2)))

    def forward(self, x: Any) -> Any:
        x = self.encoder(x)[0]
        for decoder in self.decoders:
            x = decoder(x)[0]
        x = self.first_norm(x).permute(1, 2, 0)
        return self.out(self.up(self.conv(self.turn(torch.relu(self.second_norm(x))))).transpose(1, 2))


class Twice(nn.Module):
    """A module that is called twice, with another one between."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 4)
        self.between = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        return self.rnn(self.between(self.rnn(x)[0]))[0]


class Nested(nn.Module):
    """Models in a model, and a stack of three layers without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Tagger()
        self.decoder = Tagger("GRU", bidirectional=True)
        self.last = nn.RNN(3, 4, num_layers=3, nonlinearity="relu", bias=False)

    def forward(self, tokens: Any) -> Any:
        return self.last(self.encoder(tokens).transpose(0, 1))[0], self.decoder(tokens)


class Started(nn.Module):
    """A stack that starts from trained states."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 5, num_layers=2)
        self.start = nn.Parameter(torch.zeros(2, 1, 5))

    def forward(self, x: Any) -> Any:
        start = self.start.expand(-1, x.shape[1], -1).contiguous()
        return self.rnn(x, (start, torch.zeros_like(start)))[0]


class Cells(nn.Module):
    """Cells that are called step by step, and that share a bias of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.LSTMCell(4, 5), nn.LSTMCell(4, 5)
        self.third = nn.GRUCell(5, 6)

    def forward(self, x: Any) -> Any:
        h = c = g = d = x.new_zeros(x.shape[1], 5)
        k = x.new_zeros(x.shape[1], 6)
        for step in range(3):
            h, c = self.one(x[step], (h, c))
            g, d = self.other(x[step], (g, d))
            k = self.third(h + g, k)
        return k


class OwnCell(nn.Module):
    """One step of an LSTM, written out with other names and another order of gates."""

    def __init__(self, size: int = 4, units: int = 5) -> None:
        super().__init__()
        shapes = {"kernel": (size, 4 * units), "recurrent": (units, 4 * units), "offset": (4 * units,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))

    def forward(self, x: Any, h: Any, c: Any) -> Any:
        o, f, g, i = (x @ self.kernel + h @ self.recurrent + self.offset).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c


class OwnGRU(nn.Module):
    """Three steps of a GRU that resets before the product, written out with one matrix per gate."""

    def __init__(self) -> None:
        super().__init__()
        for gate in "zrn":
            self.register_parameter(f"w{gate}", nn.Parameter(torch.zeros(4, 5)))
            self.register_parameter(f"u{gate}", nn.Parameter(torch.zeros(5, 5)))
        self.encode = nn.Linear(3, 5)

    def forward(self, x: Any, start: Any) -> Any:
        h = self.encode(start)
        for step in range(3):
            z = torch.sigmoid(x[step] @ self.wz + h @ self.uz)
            r = torch.sigmoid(x[step] @ self.wr + h @ self.ur)
            n = torch.tanh(x[step] @ self.wn + (r * h) @ self.un)
            h = (1 - z) * n + z * h
        return h


class NoCell(nn.Module):
    """Gates that are no recurrent layer's: a gated sum, a gated convolution and additive attention; and an LSTM beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 5, batch_first=True)
        self.gate, self.value = nn.Linear(5, 5), nn.Linear(5, 5)
        self.query, self.key, self.score = nn.Linear(5, 5), nn.Linear(5, 5, bias=False), nn.Linear(5, 1, bias=False)
        self.wave, self.filter = nn.Conv1d(5, 5, 3, padding=1), nn.Conv1d(5, 5, 3, padding=1)

    def forward(self, x: Any) -> Any:
        x, (last, _) = self.rnn(x)
        x = x + torch.sigmoid(self.gate(x)) * torch.tanh(self.value(x))
        x = x.transpose(1, 2)
        x = (torch.sigmoid(self.wave(x)) * torch.tanh(self.filter(x)) + x).transpose(1, 2)
        weights = torch.softmax(self.score(torch.tanh(self.query(last[0])[:, None] + self.key(x))), 1)
        return (weights * x).sum(1)


TOKENS, SERIES = "tokens", "series"
MODULES: dict[str, tuple[Any, str]] = {
    "tagger": (Tagger, TOKENS),
    "gru both ways": (lambda: Tagger("GRU", bidirectional=True), TOKENS),
    "rnn without bias": (lambda: Tagger("RNN", bias=False), TOKENS),
    "several": (Several, SERIES),
    "twice": (Twice, SERIES),
    "nested": (Nested, TOKENS),
    "started": (Started, SERIES),
    "bare": (lambda: nn.LSTM(4, 5, num_layers=2, bidirectional=True), SERIES),
    "cells": (Cells, SERIES),
    "no cell": (NoCell, SERIES),
}
"""By name: a module, and the kind of its input."""
