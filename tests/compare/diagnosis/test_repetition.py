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
        self.gru, self.reset_after, self.keeps = gru, reset_after, keeps
        self.state: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gru = self.gru
        h = torch.zeros(len(x), gru.hidden_size) if self.state is None else self.state
        kernel, bias, *recurrent = (getattr(gru, f"{name}_l0") for name in ("weight_ih", "bias_ih", "weight_hh", "bias_hh"))
        kernels, biases = (array.chunk(3) for array in recurrent)
        outputs = []
        for step in x.unbind(1):
            r, z, n = nn.functional.linear(step, kernel, bias).chunk(3, -1)
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
    assert all((each.error_before or 0) > 1e-3 for each in diagnosis.findings)
    assert not mistakes or any((each.error_after or 0) <= 1e-5 for each in diagnosis.findings)
