"""Networks as people write them in torch, each with the arguments of one call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class PackedTagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4, padding_idx=0)
        self.dropout = nn.Dropout(0.3)
        self.lstm = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.head = nn.Linear(6, 5)

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        embedded = self.dropout(self.embedding(tokens))
        packed = pack_padded_sequence(embedded, lengths.cpu(), batch_first=True, enforce_sorted=False)
        output, (h_n, _) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        return self.head(functional.relu(output)), h_n


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.keys = nn.Linear(8, 6)
        self.scale = nn.Parameter(torch.full((1,), 0.7))

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return torch.bmm(keys, query.unsqueeze(2)).squeeze(2) * self.scale

    def forward(self, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        weights = functional.softmax(self.score(query, self.keys(values)), dim=1)
        return (weights.unsqueeze(-1) * values).sum(1), weights


class AttentiveDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.GRU(5, 8, batch_first=True)
        self.bridge = nn.Linear(8, 6)
        self.attention = Attention()
        self.embedding = nn.Embedding(9, 4)
        self.cell = nn.GRUCell(12, 6)
        self.out = nn.Linear(6, 9)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        values, last = self.encoder(source)
        h = torch.tanh(self.bridge(last[-1]))
        outputs = []
        for t in range(target.size(1)):
            context, _ = self.attention(h, values)
            h = self.cell(torch.cat([self.embedding(target[:, t]), context], 1), h)
            outputs.append(self.out(h))
        return torch.stack(outputs, 1)


class CellLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(2)])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        batch, time, _ = x.shape
        h, c = torch.zeros(batch, 4), x.new_zeros(batch, 4)
        ys = torch.zeros(batch, time, 4)
        for t, x_t in enumerate(x.unbind(1)):
            h, c = self.cell(x_t, (h, c))
            ys[:, t] = h
        for layer in self.layers:
            ys = torch.tanh(layer(ys))
        return {"mean": ys.sum(1) / time, "rows": ys.reshape(-1, 4)}


class StackedTimeMajor(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 4, num_layers=2, bidirectional=True, dropout=0.2)
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        out, (h, _) = self.rnn(x)
        return self.fc(torch.cat((h[-2], h[-1]), dim=1)), out


class ConvolutionalLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv1d(5, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2))
        self.lstm = nn.LSTM(8, 6, batch_first=True)
        self.head = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.features(x.transpose(1, 2)).transpose(1, 2)
        output, _ = self.lstm(y)
        return functional.log_softmax(self.head(output[:, -1]), dim=-1)


class TiedLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Embedding(11, 6)
        self.rnn = nn.GRU(6, 6)
        self.decoder = nn.Linear(6, 11)
        self.decoder.weight = self.encoder.weight
        self.drop = nn.Dropout(0.5)

    def forward(self, words: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        output, hidden = self.rnn(self.drop(self.encoder(words)), hidden)
        return functional.log_softmax(self.decoder(self.drop(output)).view(-1, 11), dim=1), hidden


class Block(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.linear = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.gelu(self.linear(self.norm(x)))


class ModuleOfModules(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 6)
        self.blocks = nn.ModuleList(Block(6) for _ in range(3))
        self.positions = nn.Parameter(torch.randn(1, 50, 6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.inner(x) + self.positions[:, : x.size(1)]
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=1)


class CausalSelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.heads = 2
        self.qkv = nn.Linear(8, 24)
        self.out = nn.Linear(8, 8)
        self.register_buffer("mask", torch.tril(torch.ones(20, 20)).view(1, 1, 20, 20))

    def forward(self, x: Tensor) -> Tensor:
        batch, time, width = x.size()
        q, k, v = self.qkv(x).split(width, dim=2)
        q = q.view(batch, time, self.heads, width // self.heads).transpose(1, 2)
        k = k.view(batch, time, self.heads, width // self.heads).transpose(1, 2)
        v = v.view(batch, time, self.heads, width // self.heads).transpose(1, 2)
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        mask: Any = self.mask
        scores = scores.masked_fill(mask[:, :, :time, :time] == 0, float("-inf"))
        y = functional.softmax(scores, dim=-1) @ v
        joined: Tensor = self.out(y.transpose(1, 2).contiguous().view(batch, time, width))
        return joined


class PooledOverValidSteps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 5, padding_idx=0)
        self.gru = nn.GRU(5, 4, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(8, 2)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        lengths = (tokens != 0).sum(1)
        output, _ = self.gru(self.embedding(tokens))
        last = output[torch.arange(output.size(0)), lengths - 1]
        mask = (tokens != 0).unsqueeze(-1)
        largest = output.masked_fill(~mask, -1e9).max(dim=1)[0]
        mean = (output * mask).sum(1) / lengths.clamp(min=1).unsqueeze(1)
        return self.fc(last), self.fc(largest), self.fc(mean)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.rnn = nn.GRU(4, 5, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(10, 6)

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        packed = pack_padded_sequence(self.embedding(source), lengths, batch_first=True, enforce_sorted=False)
        output, h = self.rnn(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        return output, torch.tanh(self.fc(torch.cat((h[-2, :, :], h[-1, :, :]), dim=1)))


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 4)
        self.attention = nn.Linear(16, 6)
        self.v = nn.Linear(6, 1, bias=False)
        self.rnn = nn.GRUCell(14, 6)
        self.out = nn.Linear(6, 9)

    def forward(self, token: Tensor, h: Tensor, encoded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        repeated = h.unsqueeze(1).repeat(1, encoded.shape[1], 1)
        energy = torch.tanh(self.attention(torch.cat((repeated, encoded), dim=2)))
        weights = functional.softmax(self.v(energy).squeeze(2).masked_fill(mask == 0, -1e10), dim=1)
        context = torch.bmm(weights.unsqueeze(1), encoded).squeeze(1)
        h = self.rnn(torch.cat((self.embedding(token), context), 1), h)
        return self.out(h), h, weights


class Seq2Seq(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.decoder = Decoder()

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        encoded, h = self.encoder(source, lengths)
        mask = torch.arange(encoded.size(1), device=source.device)[None, :] < lengths[:, None]
        outputs = []
        for t in range(target.size(1)):
            logits, h, _ = self.decoder(target[:, t], h, encoded, mask)
            outputs.append(logits)
        return torch.stack(outputs, dim=1)


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.dense = nn.Sequential(nn.Linear(2, 4), nn.Tanh())
        self.h0 = nn.Parameter(torch.randn(1, 1, 4))
        self.c0 = nn.Parameter(torch.randn(1, 1, 4))
        self.score = nn.Linear(8, 1)

    def forward(self, steps: Tensor, features: Tensor) -> dict[str, Tensor]:
        batch = steps.shape[0]
        start = self.h0.expand(-1, batch, -1).contiguous(), self.c0.expand(-1, batch, -1).contiguous()
        output, (h, _) = self.lstm(steps, start)
        both = torch.cat([h.squeeze(0), self.dense(features)], dim=-1)
        return {"score": torch.sigmoid(self.score(both)).squeeze(-1), "steps": output}


class BackwardLoop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(3, 4)
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, c = torch.zeros(x.size(1), 4), torch.zeros(x.size(1), 4)
        outputs: list[Tensor] = []
        for t in reversed(range(x.size(0))):
            h, c = self.cell(x[t], (h, c))
            outputs.insert(0, self.linear(h))
        return torch.stack(outputs), h


class GreedyDecoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.cell = nn.GRUCell(4, 5)
        self.out = nn.Linear(5, 7)

    def forward(self, h: Tensor) -> Tensor:
        token = torch.zeros(h.size(0), dtype=torch.long)
        logits = []
        for _ in range(6):
            h = self.cell(self.embedding(token), h)
            token = self.out(h).argmax(1)
            logits.append(self.out(h).unsqueeze(1))
        return torch.cat(logits, 1)


def _ids(high: int, *shape: int) -> Tensor:
    return torch.randint(1, high, shape)


NETWORKS: Mapping[str, tuple[type[nn.Module], Callable[[], tuple[Tensor, ...]]]] = {
    "packed tagger": (PackedTagger, lambda: (_ids(10, 2, 5), torch.tensor([5, 3]))),
    "decoder with attention": (AttentiveDecoder, lambda: (torch.randn(2, 4, 5), _ids(9, 2, 3))),
    "loop over LSTMCell": (CellLoop, lambda: (torch.randn(2, 3, 3),)),
    "stacked, both ways, time first": (StackedTimeMajor, lambda: (torch.randn(4, 2, 5),)),
    "convolutions and LSTM": (ConvolutionalLSTM, lambda: (torch.randn(2, 8, 5),)),
    "tied language model": (TiedLanguageModel, lambda: (_ids(11, 4, 2), torch.randn(1, 2, 6))),
    "module of modules": (ModuleOfModules, lambda: (torch.randn(2, 5, 3),)),
    "causal self-attention": (CausalSelfAttention, lambda: (torch.randn(2, 5, 8),)),
    "pooled over valid steps": (PooledOverValidSteps, lambda: (torch.tensor([[3, 4, 5, 0], [2, 1, 0, 0]]),)),
    "packed encoder and decoder": (Seq2Seq, lambda: (_ids(10, 2, 5), torch.tensor([5, 3]), _ids(9, 2, 4))),
    "two inputs, learned initial states": (TwoInputs, lambda: (torch.randn(2, 4, 3), torch.randn(2, 2))),
    "backward loop": (BackwardLoop, lambda: (torch.randn(5, 2, 3),)),
    "greedy decoder": (GreedyDecoder, lambda: (torch.randn(2, 5),)),
}


def network(name: str) -> tuple[nn.Module, tuple[Tensor, ...]]:
    """Return a network in evaluation mode, with drawn weights, and the arguments of a call."""
    with torch.random.fork_rng():
        torch.manual_seed(sorted(NETWORKS).index(name))
        made, arguments = NETWORKS[name]
        module = made()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm1d) and layer.running_mean is not None and layer.running_var is not None:
                layer.running_mean.normal_()
                layer.running_var.uniform_(0.5, 2.0)
        return module.eval(), arguments()
