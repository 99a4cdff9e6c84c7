"""Modules drawn at random become Keras models that compute the same.

Covers: `frameworks/models/keras_source`, `frameworks/models/tracing`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from frameworks.models import port_model

SIZE = 4
Step = Callable[[Any, Tensor], Tensor]


def recurrent(kind: str, *, layers: int = 1, both: bool = False, bias: bool = True) -> Callable[[], nn.Module]:
    hidden = SIZE // 2 if both else SIZE
    return lambda: getattr(nn, kind)(SIZE, hidden, layers, bias=bias, batch_first=True, bidirectional=both)


def _loop(cell: Any, x: Tensor) -> Tensor:
    h, outputs = torch.zeros(x.size(0), SIZE), []
    for t in range(x.size(1)):
        h = cell(x[:, t], h)
        outputs.append(h)
    return torch.stack(outputs, 1)


KINDS: Mapping[str, tuple[Callable[[], nn.Module], Step]] = {
    "dense": (lambda: nn.Linear(SIZE, SIZE), lambda own, x: torch.tanh(own(x))),
    "without bias": (lambda: nn.Linear(SIZE, SIZE, bias=False), lambda own, x: functional.gelu(own(x))),
    "norm": (lambda: nn.LayerNorm(SIZE), lambda own, x: own(x)),
    "batch norm": (lambda: nn.BatchNorm1d(SIZE), lambda own, x: own(x.transpose(1, 2)).transpose(1, 2)),
    "convolution": (lambda: nn.Conv1d(SIZE, SIZE, 3, padding=1), lambda own, x: torch.relu(own(x.mT)).mT),
    "depthwise": (
        lambda: nn.Conv1d(SIZE, SIZE, 3, padding=1, groups=SIZE),
        lambda own, x: own(x.permute(0, 2, 1)).permute(0, 2, 1),
    ),
    "lstm": (recurrent("LSTM"), lambda own, x: own(x)[0]),
    "gru, two layers": (recurrent("GRU", layers=2), lambda own, x: own(x)[0]),
    "rnn both ways": (recurrent("RNN", both=True), lambda own, x: own(x)[0]),
    "lstm without bias": (recurrent("LSTM", bias=False), lambda own, x: own(x)[0] + own(x)[1][0][-1][:, None]),
    "cell": (lambda: nn.GRUCell(SIZE, SIZE), _loop),
    "residual": (lambda: nn.Linear(SIZE, SIZE), lambda own, x: x + functional.leaky_relu(own(x), 0.2)),
    "attention": (
        lambda: nn.Linear(SIZE, SIZE),
        lambda own, x: functional.softmax(own(x) @ x.transpose(1, 2) / SIZE**0.5, dim=-1) @ x,
    ),
    "reversed": (nn.Identity, lambda _, x: x.flip(1).cumsum(1)),
    "shifted": (nn.Identity, lambda _, x: torch.cat([x[:, 1:], x[:, :1]], 1) * (1 / x.size(1))),
    "pooled and back": (nn.Identity, lambda _, x: x - x.mean(1, keepdim=True) + x.max(1, keepdim=True)[0]),
}
ENDS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "steps": lambda x: x,
    "last": lambda x: x[:, -1],
    "mean": lambda x: x.mean(1),
    "rows": lambda x: x.reshape(-1, SIZE),
    "flat": lambda x: x.sum(-1),
}


class Drawn(nn.Module):
    def __init__(self, kinds: list[str], end: str) -> None:
        super().__init__()
        self.parts = nn.ModuleList(KINDS[kind][0]() for kind in kinds)
        self.kinds = kinds
        self.end = end

    def forward(self, x: Tensor) -> Tensor:
        for kind, part in zip(self.kinds, self.parts, strict=True):
            x = KINDS[kind][1](part, x)
        return ENDS[self.end](x)


@settings(max_examples=12, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=5), st.sampled_from(list(ENDS)), st.integers(0, 99))
def test_a_drawn_module_computes_the_same_in_keras(kinds: list[str], end: str, seed: int) -> None:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        module = Drawn(kinds, end).eval()
        for weight in module.parameters():
            weight.uniform_(-0.9, 0.9)
        first, second = torch.randn(2, 5, SIZE), torch.randn(3, 8, SIZE)
        model = port_model(module, example=(first,))
        for x in (first, second):
            expected, found = module(x).numpy(), keras.ops.convert_to_numpy(model(x.numpy()))
            np.testing.assert_allclose(found, expected, atol=5e-6 * max(1.0, float(np.abs(expected).max())))
