"""A port that keeps its states is named beside a mistake in the recurrence that makes these states wrong too."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from compare import diagnose


class Loop(nn.Module):
    """A GRU by hand, with the reset gate before or behind the recurrent product, which may keep its state."""

    def __init__(self, gru: nn.GRU, *, reset_after: bool, keeps: bool) -> None:
        super().__init__()
        self.gru, self.reset_after, self.keeps, self.state = gru, reset_after, keeps, None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gru = self.gru
        h = torch.zeros(len(x), gru.hidden_size) if self.state is None else self.state
        kernels = gru.weight_hh_l0.chunk(3)
        biases = gru.bias_hh_l0.chunk(3)
        outputs = []
        for step in x.unbind(1):
            r, z, n = nn.functional.linear(step, gru.weight_ih_l0, gru.bias_ih_l0).chunk(3, -1)
            r, z = (torch.sigmoid(a + h @ k.T + b) for a, k, b in zip((r, z), kernels, biases, strict=False))
            product = r * (h @ kernels[2].T + biases[2]) if self.reset_after else (r * h) @ kernels[2].T + biases[2]
            h = (1 - z) * torch.tanh(n + product) + z * h
            outputs.append(h)
        if self.keeps:
            self.state = h.detach()
        return torch.stack(outputs, 1), h[None]


@pytest.mark.parametrize(
    ("reset_after", "keeps", "mistakes"),
    [
        (True, False, set()),
        (True, True, {"state-kept"}),
        (False, False, {"reset-after"}),
        (False, True, {"reset-after", "state-kept"}),
    ],
)
def test_kept_states_are_named_alone_and_beside_another_recurrence(
    *, reset_after: bool, keeps: bool, mistakes: set[str]
) -> None:
    torch.manual_seed(0)
    gru = nn.GRU(3, 4, batch_first=True)
    diagnosis = diagnose(gru, Loop(gru, reset_after=reset_after, keeps=keeps))
    assert {each.mistake for each in diagnosis.findings} == mistakes
    assert diagnosis.verdict == ("named" if mistakes else "right")
    assert all(each.error_before > 1e-3 for each in diagnosis.findings)
    assert not diagnosis.findings or min(each.error_after for each in diagnosis.findings) <= 1e-5
